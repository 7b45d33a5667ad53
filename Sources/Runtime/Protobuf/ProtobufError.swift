/// What went wrong with a protobuf message, a schema or a JSON text, and where.
public struct ProtobufError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Bytes or text that no correct peer would send.
        public static let malformed = Code(rawValue: "malformed")
        /// The input ends inside a value.
        public static let truncated = Code(rawValue: "truncated")
        /// Messages nest deeper than the limit.
        public static let tooDeep = Code(rawValue: "too_deep")
        /// More fields, elements or memory than the limits allow.
        public static let tooLarge = Code(rawValue: "too_large")
        /// A `string` holds bytes that are not UTF-8.
        public static let invalidUTF8 = Code(rawValue: "invalid_utf8")
        /// A descriptor is unusable: a missing dependency, an unknown type.
        public static let schema = Code(rawValue: "schema")
        /// JSON that is well formed but does not fit the message.
        public static let mismatch = Code(rawValue: "mismatch")
        /// A value that JSON or the wire format cannot express.
        public static let unrepresentable = Code(rawValue: "unrepresentable")
    }

    public var code: Code
    public var message: String
    /// Byte offset into the input.
    public var offset: Int?
    /// Field path, for example `preferred_time_range.start` or `slots[2].id`.
    public var path: String?

    public init(_ code: Code, _ message: String, offset: Int? = nil, path: String? = nil) {
        self.code = code
        self.message = message
        self.offset = offset
        self.path = path
    }

    /// A required field (proto2) that is not there. Generated code calls it.
    public static func missing(_ field: String) -> ProtobufError {
        ProtobufError(.malformed, "\(field) is required and absent")
    }

    public var description: String {
        var text = message
        if let path, !path.isEmpty { text = "\(path): \(text)" }
        if let offset { text += " (at byte \(offset))" }
        return text
    }
}
