package import Compression

/// How the compressed messages of one direction of a call are inflated. That happens when they
/// are taken, not when they arrive: what waits is bounded by flow control as it was sent.
package struct MessageInflation: Sendable {
    package var algorithm: CompressionAlgorithm
    /// Of the inflated message. Bytes.
    package var limit: Int

    package init(algorithm: CompressionAlgorithm = .identity, limit: Int = 0) {
        self.algorithm = algorithm
        self.limit = limit
    }

    package func inflate(_ message: [UInt8]) throws(RPCError) -> [UInt8] {
        guard algorithm != .identity else { throw RPCError.compressedWithoutEncoding }
        do throws(CompressionError) {
            return try algorithm.decompress(message, limit: limit)
        } catch {
            let code: RPCError.Code = error.code == .tooLarge ? .resourceExhausted : .internalError
            throw RPCError(
                code, "a \(algorithm.name) message cannot be inflated: \(error.message)",
                blame: error.blame == .us ? .us : .peer, cause: error.cause)
        }
    }
}

extension RPCError {
    package static let compressedWithoutEncoding = RPCError(
        .internalError, "a compressed message without grpc-encoding", blame: .peer)

    package static let unknownEncoding = RPCError(
        .internalError, "a message in an encoding that this side has not announced", blame: .peer)
}
