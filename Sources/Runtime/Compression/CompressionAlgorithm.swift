/// How a message is compressed: the names of `grpc-encoding` and of HTTP's content codings
/// (gRPC's compression.md). Each message stands alone; nothing is remembered between two.
public enum CompressionAlgorithm: UInt8, Sendable, Hashable, CaseIterable {
    /// Not at all.
    case identity
    /// RFC 1952.
    case gzip
    /// RFC 1950: deflate inside zlib's frame, as HTTP defines the name.
    case deflate

    public var name: String {
        switch self {
        case .identity: "identity"
        case .gzip: "gzip"
        case .deflate: "deflate"
        }
    }

    /// The algorithm with this name, in any letter case; nil when it is unknown.
    public init?(name: some Sequence<UInt8>) {
        let lower = name.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
        guard
            let found = CompressionAlgorithm.allCases.first(where: {
                lower.elementsEqual($0.name.utf8)
            })
        else { return nil }
        self = found
    }

    /// zlib's `windowBits`: 15 is the largest window, 16 more asks for the gzip frame.
    var windowBits: Int32 { self == .gzip ? 31 : 15 }

    /// The compressed bytes, with zlib's default effort.
    /// - Throws: when memory ran out.
    public func compress(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
        guard self != .identity else { return bytes }
        let pool = self == .gzip ? Compressor.gzip : Compressor.deflate
        let compressor: Compressor
        if let idle = pool.take() { compressor = idle } else { compressor = try Compressor(self) }
        defer { pool.give(compressor) }
        return try compressor.compress(bytes)
    }

    /// The bytes before compression.
    /// - Parameter limit: of the inflated size; nothing beyond it is ever held in memory.
    /// - Throws: `CompressionError` when the input is not exactly one whole compressed stream, or
    ///   inflates to more than the limit.
    public func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        guard self != .identity else {
            if bytes.count > limit { throw .tooLarge(limit: limit) }
            return bytes
        }
        let pool = self == .gzip ? Decompressor.gzip : Decompressor.deflate
        let decompressor: Decompressor
        if let idle = pool.take() {
            decompressor = idle
        } else {
            decompressor = try Decompressor(self)
        }
        defer { pool.give(decompressor) }
        return try decompressor.decompress(bytes, limit: limit)
    }
}
