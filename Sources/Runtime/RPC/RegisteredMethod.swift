package import Telemetry

/// A method with its handler, as the router keeps it: one object, found by the bytes of `:path`.
package final class RegisteredMethod: Sendable {
    package typealias Handler = @Sendable (ServerCall) async throws -> Void

    package let descriptor: MethodDescriptor
    package let path: [UInt8]
    package let waitsForHalfClose: Bool
    package let body: Handler
    private let logger: Logger?

    package init(
        _ descriptor: MethodDescriptor, logger: Logger? = nil, body: @escaping Handler
    ) {
        self.descriptor = descriptor
        self.path = Array(descriptor.path.utf8)
        // One request message: the handler starts when it is whole, and never waits for it.
        self.waitsForHalfClose = !descriptor.kind.clientStreams
        self.body = body
        self.logger = logger
    }

    /// The status of a handler's error. Text that was not meant for the client goes to the log.
    func status(for error: any Error, _ context: ServerContext) -> RPCError {
        let status = RPCError(wrapping: error)
        if status.blame == .us {
            logger?.error(
                "call failed",
                [
                    "method": .string(descriptor.path), "code": .string(status.code.name),
                    "error": .string(status.description),
                    "request_id": .string(context.requestID),
                ])
        }
        return status
    }
}
