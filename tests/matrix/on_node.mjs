// node on_node.mjs FOLDER PROGRAM ARGUMENT...: runs a Python program in the pyodide of a folder, which it sees as /m.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, program, ...programArguments] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${folder}/node_modules/pyodide/pyodide.mjs`));
const python = await loadPyodide();
python.FS.mkdir("/m");
python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, "/m");
python.globals.set("arguments", python.toPy(programArguments));
process.exitCode = await python.runPythonAsync(await readFile(program, "utf8"));
