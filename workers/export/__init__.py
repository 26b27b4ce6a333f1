"""From an adapter to what a gateway serves: ONNX graphs, converted adapters, and their parity with PyTorch."""
