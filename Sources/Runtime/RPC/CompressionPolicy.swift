public import Compression

/// When messages of a server or channel are compressed.
public struct CompressionPolicy: Sendable, Hashable {
    /// For what is sent, unless the call says otherwise. A server uses it only where the client
    /// accepts it.
    public var algorithm: CompressionAlgorithm
    /// Smaller messages leave as they are, unless the sender insists (`compress: true`). Bytes.
    public var minimumBytes: Int
    /// What the peer may use. A server refuses anything else with UNIMPLEMENTED; a channel
    /// announces it with every call (when empty, only with calls that compress themselves).
    public var accepted: CompressionAlgorithms

    public init(
        algorithm: CompressionAlgorithm = .identity, minimumBytes: Int = 1024,
        accepted: CompressionAlgorithms = []
    ) {
        self.algorithm = algorithm
        self.minimumBytes = minimumBytes
        self.accepted = accepted
    }

    /// `grpc-accept-encoding`.
    package var acceptedList: String {
        accepted.isEmpty ? "identity" : "identity,\(accepted.list)"
    }

    /// The compressed form of a message, or nil when it leaves as it is: too small to be worth
    /// it, told so, or no smaller when compressed.
    package func compress(
        _ message: [UInt8], _ algorithm: CompressionAlgorithm, _ wish: Bool?
    ) -> [UInt8]? {
        guard wish ?? (message.count >= minimumBytes), !message.isEmpty else { return nil }
        guard let small = try? algorithm.compress(message) else { return nil }
        return wish == true || small.count < message.count ? small : nil
    }
}
