// Compile the contracts with solc-js and write one artifact each. Usage: node compile.js SOLC_FOLDER OUTPUT_FOLDER
// Deterministic: the compiler is pinned, and the metadata (which holds paths and hashes of sources) is left out.
"use strict";
const fs = require("fs");
const path = require("path");

const [, , solcFolder, outputFolder] = process.argv;
const solc = require(path.resolve(solcFolder));
const sources = [
  "ERC1967Proxy.sol",
  "Escrow.sol",
  "EscrowWatch.sol",
  "drills/Drainer.sol",
  "drills/EscrowCostly.sol",
  "drills/EscrowMute.sol",
  "drills/EscrowSealed.sol",
  "drills/EscrowShifted.sol",
  "drills/EscrowUnguarded.sol",
  "drills/EscrowUnpausable.sol",
  "testing/EscrowNext.sol",
  "testing/Reentrant.sol",
];

const settings = {
  evmVersion: "shanghai",
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "storageLayout"] } },
};
const input = {
  language: "Solidity",
  sources: Object.fromEntries(
    sources.map((name) => [name, { content: fs.readFileSync(path.join(__dirname, name), "utf8") }])
  ),
  settings,
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const problem of output.errors || []) console.error(problem.formattedMessage);
if ((output.errors || []).length > 0) process.exit(1); // a warning too: none is expected

const { outputSelection, ...published } = settings;
for (const source of sources) {
  const name = path.basename(source, ".sol");
  const contract = output.contracts[source][name];
  const artifact = {
    contract: name,
    source,
    compiler: { version: solc.version(), settings: published },
    abi: contract.abi,
    storage: contract.storageLayout.storage.map(({ label, slot, offset, type }) => ({
      label,
      slot: Number(slot),
      offset,
      type: contract.storageLayout.types[type].label,
      bytes: Number(contract.storageLayout.types[type].numberOfBytes),
    })),
    bytecode: "0x" + contract.evm.bytecode.object,
    deployedBytecode: "0x" + contract.evm.deployedBytecode.object,
  };
  const file = path.join(outputFolder, path.dirname(source), name + ".json");
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(artifact, null, 1) + "\n");
}
