/// A generated protobuf message: a plain value.
public protocol Message: Sendable, Hashable {
    init()
    static var schema: MessageSchema { get }
    /// Fields of a newer schema; re-emitted by `encoded()`.
    var unknownFields: UnknownFields { get set }
    /// Copies the fields out of an unpacked C struct.
    init(reading reader: MessageReader) throws(ProtobufError)
    /// Fills the C struct that `encoded()` packs.
    func write(to writer: MessageWriter)
}

extension Message {
    /// `Booking.with { $0.id = "b-1" }`: a message filled in one expression.
    @inlinable
    public static func with<Failure: Error>(
        _ fill: (inout Self) throws(Failure) -> Void
    ) throws(Failure) -> Self {
        var message = Self()
        try fill(&message)
        return message
    }

    /// Decodes untrusted bytes.
    ///
    /// Errors: `.malformed`, `.truncated`, `.tooDeep`, `.tooLarge`, `.invalidUTF8`.
    @inlinable
    public init(
        decoding bytes: UnsafeRawBufferPointer, limits: DecodingLimits = DecodingLimits()
    ) throws(ProtobufError) {
        let scope = try DecodingScope(Self.schema, bytes, limits)
        defer { scope.end() }
        try self.init(reading: scope.reader)
    }

    @inlinable
    public init(
        decoding bytes: [UInt8], limits: DecodingLimits = DecodingLimits()
    ) throws(ProtobufError) {
        self = try bytes.withUnsafeBufferPointer { (bytes) throws(ProtobufError) in
            try Self(decoding: UnsafeRawBufferPointer(bytes), limits: limits)
        }
    }

    /// The wire bytes where they were made, without a copy: valid during `body`.
    @inlinable
    public func withEncoded<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let scope = EncodingScope(Self.schema)
        write(to: scope.writer)
        defer { scope.end() }
        return try body(scope.pack())
    }

    /// The wire bytes, after `reserved` leading zero bytes for the caller's frame header.
    @inlinable
    public func encoded(reserving reserved: Int = 0) -> [UInt8] {
        let scope = EncodingScope(Self.schema)
        write(to: scope.writer)
        return scope.end(reserving: reserved)
    }
}
