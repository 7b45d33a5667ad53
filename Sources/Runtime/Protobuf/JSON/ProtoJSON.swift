/// The JSON form of protobuf messages (https://protobuf.dev/programming-guides/json).
public enum ProtoJSON {
    public struct ParseOptions: Sendable {
        /// Accept, and forget, members and enum names that the schema does not know.
        public var ignoreUnknownFields = false
        /// Levels of nested objects and arrays.
        public var maxDepth = 64
        /// Further spellings of enum values, asked before their names: "pending" for
        /// BOOKING_STATUS_PENDING. The counterpart of `PrintOptions.enumAlias`.
        public var enumNumber: (@Sendable (EnumSchema, String) -> Int32?)?

        public init(
            ignoreUnknownFields: Bool = false, maxDepth: Int = 64,
            enumNumber: (@Sendable (EnumSchema, String) -> Int32?)? = nil
        ) {
            self.ignoreUnknownFields = ignoreUnknownFields
            self.maxDepth = maxDepth
            self.enumNumber = enumNumber
        }
    }

    public struct PrintOptions: Sendable {
        /// `user_id` instead of `userId`.
        public var preserveProtoFieldNames = false
        /// Unset `optional` scalars and messages are printed as null; members of oneofs are not.
        public var explicitNulls = false
        /// Fields with implicit presence are printed even when default, lists and maps when empty.
        public var printDefaults = false
        /// 64-bit integers as numbers; those beyond 2^53 are refused.
        public var int64AsNumber = false
        public var enumsAsNumbers = false
        /// Another spelling of an enum value, nil for its name.
        public var enumAlias: (@Sendable (EnumSchema, Int32) -> String?)?
        /// Spaces per level; 0 prints on one line.
        public var indent = 0

        public init(
            preserveProtoFieldNames: Bool = false, explicitNulls: Bool = false,
            printDefaults: Bool = false, int64AsNumber: Bool = false,
            enumsAsNumbers: Bool = false,
            enumAlias: (@Sendable (EnumSchema, Int32) -> String?)? = nil, indent: Int = 0
        ) {
            self.preserveProtoFieldNames = preserveProtoFieldNames
            self.explicitNulls = explicitNulls
            self.printDefaults = printDefaults
            self.int64AsNumber = int64AsNumber
            self.enumsAsNumbers = enumsAsNumbers
            self.enumAlias = enumAlias
            self.indent = indent
        }
    }

    /// Parses a whole JSON text as a message.
    ///
    /// Errors carry the byte offset and, inside the message, the path of the field
    /// (`preferred_time_range.start`). `pool` resolves `google.protobuf.Any`.
    public static func parse(
        _ json: UnsafeRawBufferPointer, as schema: MessageSchema, pool: DescriptorPool,
        options: ParseOptions = ParseOptions()
    ) throws(ProtobufError) -> DynamicMessage {
        let scanner = try JSONScanner(json, maxDepth: options.maxDepth)
        var parser = ProtoJSONParser(scanner: scanner, pool: pool, options: options)
        let message = try parser.message(schema)
        try parser.scanner.end()
        return message
    }

    public static func parse(
        _ json: [UInt8], as schema: MessageSchema, pool: DescriptorPool,
        options: ParseOptions = ParseOptions()
    ) throws(ProtobufError) -> DynamicMessage {
        try json.withUnsafeBytes { raw in
            Result { () throws(ProtobufError) in
                try parse(raw, as: schema, pool: pool, options: options)
            }
        }.get()
    }

    /// Prints a message.
    ///
    /// Errors: `.unrepresentable` for values that JSON cannot express, such as a timestamp in
    /// the year 10000 or an `Any` of a type that is not in the pool.
    public static func print(
        _ message: DynamicMessage, pool: DescriptorPool, options: PrintOptions = PrintOptions()
    ) throws(ProtobufError) -> [UInt8] {
        var printer = ProtoJSONPrinter(pool: pool, options: options)
        try printer.message(message)
        return printer.writer.bytes
    }

    public static func print(
        _ message: some Message, pool: DescriptorPool, options: PrintOptions = PrintOptions()
    ) throws(ProtobufError) -> [UInt8] {
        try print(try DynamicMessage(message), pool: pool, options: options)
    }

    /// The JSON spelling of a path of original field names: `slot_id` → `slotId`.
    public static func camelCase(_ name: String) -> String { FieldSchema.jsonName(of: name) }
}
