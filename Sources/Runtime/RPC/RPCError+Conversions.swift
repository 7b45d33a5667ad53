public import Protobuf

extension RPCError {
    /// A message that does not decode: INTERNAL, as statuscodes.md says.
    public init(decoding error: ProtobufError) {
        self.init(
            .internalError, "message does not decode: \(error.message)", blame: .peer,
            cause: error.path.map { "at \($0)" })
    }

    /// The status for anything that a handler or a call threw.
    ///
    /// The text of an unknown error stays out of `message`: it is in `cause`, for the log.
    public init(wrapping error: any Error) {
        switch error {
        case let error as RPCError:
            self = error
        case let error as any RPCErrorConvertible:
            self = error.rpcError
        case let error as ProtobufError:
            self.init(decoding: error)
        case is CancellationError:
            self.init(.cancelled, "the call was cancelled")
        default:
            self.init(.unknown, "the handler failed", blame: .us, cause: "\(error)")
        }
    }
}
