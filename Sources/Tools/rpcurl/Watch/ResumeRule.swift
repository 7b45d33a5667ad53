import Protobuf

/// `-resume REQUEST_FIELD=RESPONSE_FIELD`: what the next request takes from the last message.
struct ResumeRule: Sendable, Hashable {
    let target: FieldPath
    let source: FieldPath

    /// - Throws: `Failure` when it is not two paths.
    init(_ text: String) throws(Failure) {
        guard let split = text.firstIndex(of: "=") else {
            throw .usage(
                "-resume takes REQUEST_FIELD=RESPONSE_FIELD, such as after=event.position, not "
                    + "\"\(text)\"")
        }
        target = try FieldPath(String(text[..<split]))
        source = try FieldPath(String(text[text.index(after: split)...]))
    }

    /// - Throws: `Failure` when a field is missing or one's values do not fit into the other.
    func bind(_ method: MethodSchema) throws(Failure) -> Bound {
        let to = try target.fields(of: method.input)
        let from = try source.fields(of: method.output)
        guard let last = to.last, let first = from.last, ResumeRule.fits(first, last) else {
            throw .usage(
                "-resume \(target.text)=\(source.text): a \(ResumeRule.type(from.last)) cannot "
                    + "become a \(ResumeRule.type(to.last))")
        }
        return Bound(target: to, source: from)
    }

    private static func type(_ field: FieldSchema?) -> String {
        guard let field else { return "field" }
        return field.typeName.isEmpty ? "\(field.kind)" : field.typeName
    }

    private static func fits(_ source: FieldSchema, _ target: FieldSchema) -> Bool {
        if isInteger(source), isInteger(target) { return true }
        return source.kind == target.kind && source.typeName == target.typeName
    }

    private static func isInteger(_ field: FieldSchema) -> Bool {
        switch field.kind {
        case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .fixed32, .fixed64, .sfixed32,
            .sfixed64:
            true
        default: false
        }
    }

    /// A rule whose fields are known.
    struct Bound {
        let target: [FieldSchema]
        let source: [FieldSchema]

        /// Copies the value; nothing happens when the message does not have it.
        /// - Returns: false when the number is too large for the request's field.
        func copy(from message: DynamicMessage, into request: inout DynamicMessage) -> Bool {
            guard let value = Bound.value(message, source[...]), let last = target.last else {
                return true
            }
            guard let fitting = Bound.convert(value, last) else { return false }
            Bound.set(fitting, target[...], in: &request)
            return true
        }

        private static func value(
            _ message: DynamicMessage, _ path: ArraySlice<FieldSchema>
        ) -> DynamicValue? {
            guard let field = path.first, let value = message[field] else { return nil }
            if path.count == 1 { return value }
            return value.messageValue.flatMap { Bound.value($0, path.dropFirst()) }
        }

        private static func set(
            _ value: DynamicValue, _ path: ArraySlice<FieldSchema>,
            in message: inout DynamicMessage
        ) {
            guard let field = path.first else { return }
            guard path.count > 1 else {
                message[field] = value
                return
            }
            guard var inner = message.value(field).messageValue else { return }
            set(value, path.dropFirst(), in: &inner)
            message[field] = .message(inner)
        }

        private static func convert(_ value: DynamicValue, _ field: FieldSchema) -> DynamicValue? {
            if case .enumeration = value { return value }
            if case .uint64(let large) = value, case .uint64 = DynamicValue.default(field) {
                return .uint64(large)
            }
            guard let integer = value.integerValue else {
                if case .uint64 = value { return nil }
                return value
            }
            return switch DynamicValue.default(field) {
            case .int32: Int32(exactly: integer).map(DynamicValue.int32)
            case .int64: .int64(integer)
            case .uint32: UInt32(exactly: integer).map(DynamicValue.uint32)
            case .uint64: UInt64(exactly: integer).map(DynamicValue.uint64)
            default: value
            }
        }
    }
}
