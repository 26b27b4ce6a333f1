"""What processes of both sides share and is no contract: logs, secrets, sign-ins, memory, slow clients."""
