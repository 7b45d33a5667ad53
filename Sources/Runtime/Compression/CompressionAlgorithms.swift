/// A set of algorithms, as `grpc-accept-encoding` and `accept-encoding` list them. Identity needs
/// no member: it is always acceptable.
public struct CompressionAlgorithms: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let gzip = CompressionAlgorithms(.gzip)
    public static let deflate = CompressionAlgorithms(.deflate)
    /// All that is built in.
    public static let all: CompressionAlgorithms = [.gzip, .deflate]

    public init(_ algorithm: CompressionAlgorithm) {
        rawValue = algorithm == .identity ? 0 : 1 << algorithm.rawValue
    }

    /// What a list names; unknown names are passed over, and so is an HTTP coding whose quality
    /// is zero (RFC 9110 §12.5.3).
    public init(list: UnsafeRawBufferPointer) {
        var found: CompressionAlgorithms = []
        for item in list.split(separator: UInt8(ascii: ",")) {
            let parts = item.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            guard let name = parts.first else { continue }
            if parts.count > 1, CompressionAlgorithms.isZeroQuality(parts[1]) { continue }
            let blanks: Set<UInt8> = [0x20, 0x09]
            let trimmed = name.filter { !blanks.contains($0) }
            if let algorithm = CompressionAlgorithm(name: trimmed) {
                found.insert(CompressionAlgorithms(algorithm))
            }
        }
        self = found
    }

    private static func isZeroQuality(_ parameter: Slice<UnsafeRawBufferPointer>) -> Bool {
        let text = parameter.filter { $0 != 0x20 && $0 != 0x09 }
        guard text.starts(with: "q=".utf8) || text.starts(with: "Q=".utf8) else { return false }
        return text.dropFirst(2).allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }

    public func contains(_ algorithm: CompressionAlgorithm) -> Bool {
        algorithm == .identity || contains(CompressionAlgorithms(algorithm))
    }

    /// The header's value, for example `gzip,deflate`; empty for the empty set.
    public var list: String {
        CompressionAlgorithm.allCases
            .filter { $0 != .identity && contains($0) }.map(\.name).joined(separator: ",")
    }
}
