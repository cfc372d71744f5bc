// C-ECHO or C-STORE with dcmjs-dimse: the order stands as JSON in the first argument; ends with 0 where all was taken.
const { Client, requests, constants } = require('dcmjs-dimse');

const order = JSON.parse(process.argv[2]);
const made = order.files.length
  ? order.files.map((file) => new requests.CStoreRequest(file))
  : [new requests.CEchoRequest()];
const client = new Client();
let taken = 0;

function give_up(reason) {
  console.error(reason);
  process.exit(1);
}

for (const request of made) {
  request.on('response', (response) => {
    if (response.getStatus() === constants.Status.Success) {
      taken += 1;
    } else {
      console.error(`status ${response.getStatus().toString(16)} ${response.getErrorComment()}`);
    }
  });
  client.addRequest(request);
}
client.on('associationRejected', (answer) => give_up(`rejected ${JSON.stringify(answer)}`));
client.on('networkError', (error) => give_up(`network error ${error}`));
client.on('associationReleased', () => process.exit(taken === made.length ? 0 : 1));
client.send(order.host, order.port, order.calling, order.called, order.options);
