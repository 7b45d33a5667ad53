public import RPC

/// The states of a channel and of each of its addresses (connectivity-semantics-and-api.md).
public enum ConnectivityState: Sendable, Hashable {
    /// No connection, and nobody wants one.
    case idle
    /// Resolving, connecting, shaking hands.
    case connecting
    /// Calls can be sent.
    case ready
    /// The last attempt failed; the next one follows after a back-off. Calls fail with the error,
    /// unless they wait for ready.
    case transientFailure
    /// Closed for good.
    case shutdown
}

/// What `HTTP2Channel.states` tells.
public struct ChannelState: Sendable, Hashable {
    public var connectivity: ConnectivityState
    /// Why there is, or last was, no connection; nil once there is one.
    public var lastError: RPCError?

    public init(_ connectivity: ConnectivityState, lastError: RPCError? = nil) {
        self.connectivity = connectivity
        self.lastError = lastError
    }
}
