// Exit 1 when AsyncAPI's own parser finds an error or a warning in the document that is named; hints are shown only.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, code, path, message } of diagnostics) {
  console.log(`${["error", "warning", "information", "hint"][severity]} ${code} at ${path.join(".")}: ${message}`);
}
process.exitCode = diagnostics.some(({ severity }) => severity <= 1) ? 1 : 0;
