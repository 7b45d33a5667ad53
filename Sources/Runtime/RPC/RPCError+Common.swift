/// The refusals that both transports make in the same words.
extension RPCError {
    /// What a service answers for a method that it does not have.
    public static func unimplemented(_ method: MethodDescriptor) -> RPCError {
        RPCError(.unimplemented, "\(method) is not implemented")
    }

    package static func messageTooLarge(_ count: Int, limit: Int) -> RPCError {
        RPCError(
            .resourceExhausted, "a message of \(count) bytes is larger than the limit of \(limit)",
            blame: .caller)
    }

    package static func badFlag(_ flag: UInt8) -> RPCError {
        RPCError(.internalError, "a message prefix begins with the byte \(flag)", blame: .peer)
    }

    package static let connectionIsFull = RPCError(
        .resourceExhausted, "the connection holds too many unread or unfinished messages",
        blame: .caller)

    package static let metadataTooLarge = RPCError(
        .resourceExhausted, "the response's metadata is more than the client takes", blame: .us)

    package static let noRequest = RPCError(
        .unimplemented, "the client sent no request message", blame: .peer)

    package static let severalRequests = RPCError(
        .unimplemented, "the client sent several messages to a method that takes one",
        blame: .peer)
}
