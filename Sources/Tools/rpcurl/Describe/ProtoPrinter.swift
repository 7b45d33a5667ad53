import Protobuf

/// Prints declarations as .proto source, comments included when the descriptors have them.
struct ProtoPrinter {
    private let options: OptionReader
    private(set) var lines: [String] = []
    private var level = 0
    /// Types of this package are printed without it.
    private var package = ""

    init(_ pool: DescriptorPool) {
        options = OptionReader(pool: pool)
    }

    var text: String { lines.joined(separator: "\n") }

    // MARK: Declarations

    mutating func service(_ service: ServiceSchema) {
        head(service.fullName, service.file)
        comments(service.file, service.path)
        add("service \(service.name) {")
        level += 1
        statements(service.options, "ServiceOptions")
        for method in service.methods { self.method(method, in: service.file) }
        level -= 1
        add("}")
    }

    mutating func method(_ method: MethodSchema, of service: ServiceSchema) {
        head(method.fullName, service.file)
        self.method(method, in: service.file)
    }

    mutating func message(_ message: MessageSchema) {
        head(message.fullName, message.file)
        body(message)
    }

    mutating func enumeration(_ item: EnumSchema) {
        head(item.fullName, item.file)
        body(item)
    }

    mutating func extensionField(_ field: FieldSchema, in file: FileSchema) {
        head(field.fullName, file)
        add("extend \(field.extendee ?? "") {")
        level += 1
        self.field(field, in: file, prefix: label(field, file))
        level -= 1
        add("}")
    }

    private mutating func head(_ fullName: String, _ file: FileSchema) {
        package = file.package
        add("// \(fullName), declared in \(file.name)")
    }

    private mutating func method(_ method: MethodSchema, in file: FileSchema) {
        comments(file, method.path)
        let input = (method.clientStreaming ? "stream " : "") + type(method.inputName)
        let output = (method.serverStreaming ? "stream " : "") + type(method.outputName)
        let text = "rpc \(method.name)(\(input)) returns (\(output))"
        let count = lines.count
        level += 1
        statements(method.options, "MethodOptions")
        level -= 1
        let settings = lines[count...]
        lines.removeSubrange(count...)
        if settings.isEmpty {
            add("\(text);")
        } else {
            add("\(text) {")
            lines += settings
            add("}")
        }
    }

    private mutating func body(_ message: MessageSchema) {
        comments(message.file, message.path)
        add("message \(message.name) {")
        level += 1
        statements(message.options, "MessageOptions")
        for nested in message.enums { body(nested) }
        for nested in message.messages where !nested.isMapEntry { body(nested) }
        var begun: Set<String> = []
        for field in message.fields {
            guard let oneof = field.oneof else {
                self.field(field, of: message)
                continue
            }
            guard begun.insert(oneof.name).inserted else { continue }
            comments(message.file, message.path + [8, Int32(oneof.index)])
            add("oneof \(oneof.name) {")
            level += 1
            for member in oneof.fields { self.field(member, of: message) }
            level -= 1
            add("}")
        }
        level -= 1
        add("}")
    }

    private mutating func body(_ item: EnumSchema) {
        comments(item.file, item.path)
        add("enum \(item.name) {")
        level += 1
        statements(item.options, "EnumOptions")
        for (index, value) in item.values.enumerated() {
            comments(item.file, item.path + [2, Int32(index)])
            let brackets = inline(options.settings(of: value.options, "EnumValueOptions"))
            add("\(value.name) = \(value.number)\(brackets);")
        }
        level -= 1
        add("}")
    }

    // MARK: Fields

    private mutating func field(_ field: FieldSchema, of message: MessageSchema) {
        comments(message.file, message.path + [2, Int32(field.index)])
        self.field(field, in: message.file, prefix: label(field, message.file))
    }

    private mutating func field(_ field: FieldSchema, in file: FileSchema, prefix: String) {
        var settings: [OptionReader.Setting] = []
        if let value = field.defaultValue {
            let text = field.kind == .string ? TextFormat.quoted(Array(value.utf8)) : value
            settings.append(.init(name: "default", value: .scalar(text)))
        }
        if field.extendee == nil, field.jsonName != ProtoJSON.camelCase(field.name) {
            let text = TextFormat.quoted(Array(field.jsonName.utf8))
            settings.append(.init(name: "json_name", value: .scalar(text)))
        }
        settings += options.settings(of: field.options, "FieldOptions")
        add("\(prefix)\(type(field)) \(field.name) = \(field.number)\(inline(settings));")
    }

    private func label(_ field: FieldSchema, _ file: FileSchema) -> String {
        if field.isMap { return "" }
        switch field.cardinality {
        case .repeated: return "repeated "
        case .required: return "required "
        case .optional where field.isProto3Optional: return "optional "
        case .optional where file.syntax == .proto2 && field.oneof == nil: return "optional "
        default: return ""
        }
    }

    private func type(_ field: FieldSchema) -> String {
        if field.isMap, let entry = field.messageType, entry.fields.count == 2 {
            return "map<\(type(entry.fields[0])), \(type(entry.fields[1]))>"
        }
        switch field.kind {
        case .message, .enumeration: return type(field.typeName)
        case .group: return "group \(type(field.typeName))"
        default: return "\(field.kind)"
        }
    }

    private func type(_ fullName: String) -> String {
        guard !package.isEmpty, fullName.hasPrefix("\(package).") else { return fullName }
        return String(fullName.dropFirst(package.count + 1))
    }

    // MARK: Options and comments

    private mutating func statements(_ raw: Options, _ kind: String) {
        for setting in options.settings(of: raw, kind) {
            switch setting.value {
            case .scalar(let text): add("option \(setting.name) = \(text);")
            case .message(let inner):
                add("option \(setting.name) = {")
                level += 1
                for line in inner { add(line) }
                level -= 1
                add("};")
            }
        }
    }

    private func inline(_ settings: [OptionReader.Setting]) -> String {
        if settings.isEmpty { return "" }
        let parts = settings.map { setting in
            switch setting.value {
            case .scalar(let text): "\(setting.name) = \(text)"
            case .message(let lines):
                "\(setting.name) = { \(lines.map(ProtoPrinter.trimmed).joined(separator: " ")) }"
            }
        }
        return " [\(parts.joined(separator: ", "))]"
    }

    private static func trimmed(_ line: String) -> Substring { line.drop { $0 == " " } }

    private mutating func comments(_ file: FileSchema, _ path: [Int32]) {
        guard let comments = file.comments(path) else { return }
        let text = comments.leading.isEmpty ? comments.trailing : comments.leading
        var parts = text.split(separator: "\n", omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        for part in parts { add("//\(part)") }
    }

    private mutating func add(_ line: String) {
        lines.append(line.isEmpty ? "" : String(repeating: "  ", count: level) + line)
    }
}
