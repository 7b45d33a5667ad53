/// A message of any type, as bytes behind its name.
///
/// ```swift
/// event.payload = GoogleProtobuf.Any_(packing: booking)
/// …
/// if event.payload.holds(Booking.self) { show(try event.payload.unpacked(as: Booking.self)) }
/// ```
extension GoogleProtobuf.Any_ {
    public init(packing message: some Message) {
        self.init()
        typeUrl = "type.googleapis.com/\(type(of: message).schema.fullName)"
        value = message.encoded()
    }

    /// What stands behind the last slash of the URL: `google.rpc.ErrorInfo`.
    public var typeName: Substring {
        typeUrl.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    }

    public func holds(_ type: (some Message).Type) -> Bool { typeName == type.schema.fullName }

    /// The message inside, from untrusted bytes.
    ///
    /// Errors: `.mismatch` when it is of another type; those of `Message.init(decoding:)`.
    public func unpacked<M: Message>(
        as type: M.Type = M.self, limits: DecodingLimits = DecodingLimits()
    ) throws(ProtobufError) -> M {
        guard holds(type) else {
            let found = typeName.isEmpty ? "nothing" : "a \(typeName)"
            throw ProtobufError(.mismatch, "the Any holds \(found), not a \(type.schema.fullName)")
        }
        return try M(decoding: value, limits: limits)
    }
}
