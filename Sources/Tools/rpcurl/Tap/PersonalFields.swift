import Protobuf

/// Fields that say who somebody is, or let somebody in, by the options of the contract:
/// `debug_redact` of descriptor.proto, and `personal` of Janji's own.
enum PersonalFields {
    private static let debugRedact: Int32 = 16
    private static let personal: Int32 = 50011

    static func holds(_ field: FieldSchema) -> Bool {
        field.options.varint(extension: debugRedact) == 1
            || field.options.varint(extension: personal) == 1
    }

    /// The bytes of the message without them.
    /// - Throws: `ProtobufError` when the bytes do not fit the type.
    static func hidden(
        in bytes: [UInt8], as schema: MessageSchema, _ pool: DescriptorPool
    ) throws(ProtobufError) -> [UInt8] {
        try DynamicMessage(decoding: bytes, schema: schema).redacted(in: pool, holds).encoded()
    }
}
