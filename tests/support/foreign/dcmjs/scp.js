// A storage SCP with dcmjs-dimse that writes each data set as it came to FOLDER/TRANSFER_SYNTAX/SOP_INSTANCE_UID.
const fs = require('fs');
const path = require('path');
const { Writable } = require('stream');
const { Scp, Server, responses, constants } = require('dcmjs-dimse');

const order = JSON.parse(process.argv[2]);

class Kept extends Writable {
  constructor(syntax) {
    super();
    this.syntax = syntax;
    this.parts = [];
  }

  _write(chunk, _encoding, callback) {
    this.parts.push(Buffer.from(chunk));
    callback();
  }
}

class StorageScp extends Scp {
  associationRequested(association) {
    if (association.getCalledAeTitle() !== order.aeTitle) {
      const { RejectResult, RejectSource, RejectReason } = constants;
      this.sendAssociationReject(RejectResult.Permanent, RejectSource.ServiceUser, RejectReason.CalledAeNotRecognized);
      return;
    }
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      const syntax = context.getTransferSyntaxUids().find((each) => order.syntaxes.includes(each));
      if (!order.classes.includes(context.getAbstractSyntaxUid())) {
        context.setResult(constants.PresentationContextResult.RejectAbstractSyntaxNotSupported);
      } else if (syntax) {
        context.setResult(constants.PresentationContextResult.Accept, syntax);
      } else {
        context.setResult(constants.PresentationContextResult.RejectTransferSyntaxesNotSupported);
      }
    }
    this.sendAssociationAccept();
  }

  createStoreWritableStream(context) {
    this.kept = new Kept(context.getAcceptedTransferSyntaxUid());
    return this.kept;
  }

  createDatasetFromStoreWritableStream(_writable, _context, callback) {
    callback(undefined); // the bytes are what is wanted
  }

  cEchoRequest(request, callback) {
    const response = responses.CEchoResponse.fromRequest(request);
    response.setStatus(constants.Status.Success);
    callback(response);
  }

  cStoreRequest(request, callback) {
    const folder = path.join(order.folder, this.kept.syntax);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, request.getAffectedSopInstanceUid()), Buffer.concat(this.kept.parts));
    const response = responses.CStoreResponse.fromRequest(request);
    response.setStatus(constants.Status.Success);
    callback(response);
  }

  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }
}

const server = new Server(StorageScp);
server.on('networkError', (error) => console.error(`network error ${error}`));
server.listen(order.port, order.options);
