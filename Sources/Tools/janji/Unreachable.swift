import Loop
import RPC

/// A channel to nowhere, for a role that has no RPCs.
struct Unreachable: Channel {
    let loop: EventLoop
    let role: Role

    func start(
        _ method: MethodDescriptor, metadata: Metadata, options: CallOptions
    ) async throws -> ClientCall {
        throw RPCError(.unimplemented, "the role \(role.rawValue) serves no RPCs", blame: .us)
    }
}
