// Writes src/api/schema.d.ts, the types of the hub's HTTP interface, from docs/openapi.json.
import { writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const document = new URL("../docs/openapi.json", import.meta.url);
const target = new URL("./src/api/schema.d.ts", import.meta.url);

// A field with a default may be left out of a request.
writeFileSync(target, astToString(await openapiTS(document, { defaultNonNullable: false })));
