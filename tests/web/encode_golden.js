// Prints every golden message of a client, encoded by the page, as one line of hex: for test_javascript.py.

import { encodeMessage } from "../../server/sharp_xr/web/wire.js";
import { fromClient } from "./golden.js";

for (const { message } of fromClient) {
  console.log(Buffer.from(encodeMessage(message)).toString("hex"));
}
