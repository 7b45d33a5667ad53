package import Compression

/// How the messages of one direction of a call become what the reader gets: compressed ones are
/// inflated, those in another form (JSON) rewritten. That happens when they are taken, not when
/// they arrive: what waits is bounded by flow control as it was sent.
package struct MessageInflation: Sendable {
    package var algorithm: CompressionAlgorithm
    /// Of the inflated message. Bytes.
    package var limit: Int
    /// To protobuf; nil when the messages are that.
    package var transcode: Transcode?

    package typealias Transcode = @Sendable ([UInt8]) throws(RPCError) -> [UInt8]

    package init(
        algorithm: CompressionAlgorithm = .identity, limit: Int = 0, transcode: Transcode? = nil
    ) {
        self.algorithm = algorithm
        self.limit = limit
        self.transcode = transcode
    }

    package func read(_ message: [UInt8], isCompressed: Bool) throws(RPCError) -> [UInt8] {
        let plain = isCompressed ? try inflate(message) : message
        guard let transcode else { return plain }
        return try transcode(plain)
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
