import HTTP2

/// The stream as the exchange of a call that is gRPC-Web or Connect.
extension ServerStream: WebExchange {
    func startWeb(_ request: WebRequest) {
        web = WebCall.open(request, self, connection)
    }

    func receiveForWeb(_ bytes: UnsafeRawBufferPointer) {
        guard let web, !isClosed else { return consume(bytes.count) }
        web.receive(bytes)
    }

    func endForWeb() {
        guard !isClosed else { return }
        web?.receiveEnd()
    }

    func respond(_ status: Int, _ fields: WebFields) {
        guard !headersSent, let session else { return }
        headersSent = true
        let block = HTTP2Fields()
        block.append(":status", "\(status)")
        for (name, value) in fields.list { block.append(name, value) }
        session.respond(self, block)
    }

    func write(_ bytes: [UInt8]) -> Bool {
        guard session != nil else { return true }
        return bytes.withUnsafeBytes { write($0) }
    }

    func finish() {
        guard session != nil else { return }
        endBody(trailers: nil)
    }

    func abort() {
        reset(.cancel)
    }

    func handlerWillStart() {
        handlerRuns = true
        connection.handlerWillStart()
    }

    func handlerDidEnd() {
        handlerRuns = false
        connection.handlerDidEnd()
        recycleWhenClosed()
    }
}
