/// Fields that the schema does not know, as raw wire bytes (tags included), kept and re-emitted.
public struct UnknownFields: Sendable, Hashable {
    public var bytes: [UInt8]

    @inlinable
    public init(bytes: [UInt8] = []) { self.bytes = bytes }

    @inlinable
    public var isEmpty: Bool { bytes.isEmpty }
}
