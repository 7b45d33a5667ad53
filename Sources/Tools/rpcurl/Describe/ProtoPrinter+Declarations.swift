import Protobuf

extension ProtoPrinter {
    // MARK: Services and enums

    mutating func service(_ service: GoogleProtobuf.ServiceDescriptorProto, path: [Int32]) {
        comments(path)
        let scope = ProtoBody.join(file?.package ?? "", service.name)
        block("service \(service.name ?? "")") { printer in
            printer.statements(service.options?.encoded(), "ServiceOptions", in: scope)
            for (index, method) in service.method.enumerated() {
                printer.method(method, in: scope, path: path + [2, Int32(index)])
            }
        }
    }

    mutating func method(
        _ method: GoogleProtobuf.MethodDescriptorProto, in scope: String, path: [Int32]
    ) {
        comments(path)
        let input =
            (method.clientStreaming == true ? "stream " : "") + type(method.inputType, scope)
        let output =
            (method.serverStreaming == true ? "stream " : "") + type(method.outputType, scope)
        statement("rpc \(method.name ?? "")(\(input)) returns (\(output))") { printer in
            printer.statements(method.options?.encoded(), "MethodOptions", in: scope)
        }
    }

    mutating func enumeration(
        _ item: GoogleProtobuf.EnumDescriptorProto, in scope: String, path: [Int32]
    ) {
        comments(path)
        block("enum \(item.name ?? "")") { printer in
            printer.statements(item.options?.encoded(), "EnumOptions", in: scope)
            for (index, value) in item.value.enumerated() {
                printer.comments(path + [2, Int32(index)])
                let brackets = printer.brackets(
                    [], value.options?.encoded(), "EnumValueOptions", in: scope)
                printer.add("\(value.name ?? "") = \(value.number ?? 0)\(brackets);")
            }
            printer.reserved(
                item.reservedRange.map { ($0.start ?? 0, $0.end ?? 0) }, Int32.max,
                item.reservedName)
        }
    }

    // MARK: Messages

    mutating func message(
        _ message: GoogleProtobuf.DescriptorProto, in outer: String, path: [Int32]
    ) {
        comments(path)
        block("message \(message.name ?? "")") { printer in
            printer.inside(message, in: outer, path: path)
        }
    }

    /// What stands between the braces of a message or a group.
    private mutating func inside(
        _ message: GoogleProtobuf.DescriptorProto, in outer: String, path: [Int32]
    ) {
        let body = ProtoBody(message, in: outer, path: path)
        statements(message.options?.encoded(), "MessageOptions", in: body.scope)
        for (index, item) in message.enumType.enumerated() {
            enumeration(item, in: body.scope, path: path + [4, Int32(index)])
        }
        members(body, apart: false)
        for (index, range) in message.extensionRange.enumerated() {
            comments(path + [5, Int32(index)])
            let brackets = brackets(
                [], range.options?.encoded(), "ExtensionRangeOptions", in: body.scope)
            // MessageSets have numbers beyond those of fields.
            let last = (range.end ?? 0) - 1
            let most = last == Int32.max - 1 ? last : ProtoPrinter.mostFieldNumber
            add("extensions \(ProtoPrinter.range(range.start ?? 0, last, most: most))\(brackets);")
        }
        reserved(
            message.reservedRange.map { ($0.start ?? 0, ($0.end ?? 0) - 1) },
            ProtoPrinter.mostFieldNumber, message.reservedName)
    }

    private static let mostFieldNumber: Int32 = 1 << 29 - 1

    private static func range(_ first: Int32, _ last: Int32, most: Int32) -> String {
        first == last ? "\(first)" : "\(first) to \(last == most ? "max" : "\(last)")"
    }

    private mutating func reserved(
        _ ranges: [(first: Int32, last: Int32)], _ most: Int32, _ names: [String]
    ) {
        if !ranges.isEmpty {
            let parts = ranges.map { ProtoPrinter.range($0.first, $0.last, most: most) }
            add("reserved \(parts.joined(separator: ", "));")
        }
        if !names.isEmpty {
            let parts = names.map { TextFormat.quoted(Array($0.utf8)) }
            add("reserved \(parts.joined(separator: ", "));")
        }
    }

    /// Messages, fields and extensions. A map or a group declares its message where the field
    /// stands, so that the order of the messages decides how far the fields are printed first.
    /// - Parameter apart: an empty line before each.
    mutating func members(_ body: ProtoBody, apart: Bool) {
        var field = 0
        var extended = 0
        for (index, message) in body.messages.enumerated() {
            if let owner = body.owner(of: message) {
                if owner.isExtension, extended <= owner.index {
                    if apart { add("") }
                    extensions(body, extended...owner.index)
                    extended = owner.index + 1
                } else if !owner.isExtension {
                    while field <= owner.index { self.field(body, &field) }
                }
            } else {
                if apart { add("") }
                self.message(
                    message, in: body.scope, path: body.path + [body.messageNumber, Int32(index)])
            }
        }
        while field < body.fields.count { self.field(body, &field) }
        if extended < body.extensions.count {
            if apart { add("") }
            extensions(body, extended...body.extensions.count - 1)
        }
    }

    // MARK: Fields

    /// The field at an index, or the whole oneof that begins there.
    mutating func field(_ body: ProtoBody, _ index: inout Int) {
        guard let oneof = body.oneof(of: body.fields[index]),
            body.oneofs.indices.contains(Int(oneof))
        else {
            field(body.fields[index], body, path: body.path + [2, Int32(index)])
            index += 1
            return
        }
        comments(body.path + [8, oneof])
        var next = index
        block("oneof \(body.oneofs[Int(oneof)].name ?? "")") { printer in
            printer.statements(
                body.oneofs[Int(oneof)].options?.encoded(), "OneofOptions", in: body.scope)
            while next < body.fields.count, body.oneof(of: body.fields[next]) == oneof {
                printer.field(body.fields[next], body, path: body.path + [2, Int32(next)])
                next += 1
            }
        }
        index = next
    }

    /// Extensions at these indexes; neighbours that extend the same message share a block.
    mutating func extensions(_ body: ProtoBody, _ range: ClosedRange<Int>) {
        var next = range.lowerBound
        while next <= range.upperBound {
            let extendee = body.extensions[next].extendee
            block("extend \(type(extendee, body.scope))") { printer in
                repeat {
                    let path = body.path + [body.extensionNumber, Int32(next)]
                    printer.field(body.extensions[next], body, path: path)
                    next += 1
                } while next <= range.upperBound && body.extensions[next].extendee == extendee
            }
        }
    }

    mutating func field(_ field: ProtoBody.Field, _ body: ProtoBody, path: [Int32]) {
        comments(path)
        let declared = body.declared(by: field)
        let number = field.number ?? 0
        let brackets = brackets(
            defaults(field), field.options?.encoded(), "FieldOptions", in: body.scope)
        if let entry = declared?.message, field.type != .group, entry.field.count == 2 {
            let key = type(entry.field[0], body.scope)
            let value = type(entry.field[1], body.scope)
            return add("map<\(key), \(value)> \(field.name ?? "") = \(number)\(brackets);")
        }
        let label = label(field, body)
        if let (group, path) = declared {
            let head = "\(label)group \(group.name ?? "") = \(number)\(brackets)"
            return block(head) { $0.inside(group, in: body.scope, path: path) }
        }
        add("\(label)\(type(field, body.scope)) \(field.name ?? "") = \(number)\(brackets);")
    }

    private func label(_ field: ProtoBody.Field, _ body: ProtoBody) -> String {
        switch field.label {
        case .repeated: return "repeated "
        case .required: return "required "
        default:
            if field.proto3Optional == true { return "optional " }
            let isFree = field.extendee != nil || body.oneof(of: field) == nil
            return !isProto3 && isFree ? "optional " : ""
        }
    }

    private func type(_ field: ProtoBody.Field, _ scope: String) -> String {
        if let name = field.typeName, !name.isEmpty { return type(name, scope) }
        return FieldSchema.Kind(rawValue: UInt8(field.type?.rawValue ?? 0)).map { "\($0)" } ?? ""
    }

    private func type(_ name: String?, _ scope: String) -> String {
        names.text(name ?? "", in: scope, package: file?.package ?? "")
    }

    /// `default` and `json_name`, which are no options in a descriptor.
    private func defaults(_ field: ProtoBody.Field) -> [OptionReader.Setting] {
        var settings: [OptionReader.Setting] = []
        if let value = field.defaultValue {
            let text =
                switch field.type {
                case .string: TextFormat.quoted(Array(value.utf8))
                case .bytes: "\"\(value)\""  // escaped already
                default: value
                }
            settings.append(.init(name: "default", value: .scalar(text)))
        }
        if field.extendee == nil, let name = field.jsonName,
            name != ProtoJSON.camelCase(field.name ?? "")
        {
            let text = TextFormat.quoted(Array(name.utf8))
            settings.append(.init(name: "json_name", value: .scalar(text)))
        }
        return settings
    }

    // MARK: Options

    /// - Parameter scope: where the names of extensions are looked up from.
    mutating func statements(_ raw: [UInt8]?, _ kind: String, in scope: String) {
        for setting in options.settings(of: Options(raw ?? []), kind) {
            let name = names.option(setting.name, in: scope)
            switch setting.value {
            case .scalar(let text): add("option \(name) = \(text);")
            case .message(let inner):
                block("option \(name) =") { printer in
                    for line in inner { printer.add(line) }
                }
                lines[lines.count - 1] += ";"
            case .unknown: add("// \(ProtoPrinter.unknown(setting))")
            }
        }
    }

    /// ` [name = value]`; a comment line is added for what cannot be written.
    private mutating func brackets(
        _ first: [OptionReader.Setting], _ raw: [UInt8]?, _ kind: String, in scope: String
    ) -> String {
        var parts: [String] = []
        for setting in first + options.settings(of: Options(raw ?? []), kind) {
            let name = names.option(setting.name, in: scope)
            switch setting.value {
            case .scalar(let text): parts.append("\(name) = \(text)")
            case .message(let lines):
                let inner = lines.map { $0.drop { $0 == " " } }.joined(separator: " ")
                parts.append("\(name) = { \(inner) }")
            case .unknown: add("// \(ProtoPrinter.unknown(setting))")
            }
        }
        return parts.isEmpty ? "" : " [\(parts.joined(separator: ", "))]"
    }

    private static func unknown(_ setting: OptionReader.Setting) -> String {
        "option \(setting.name) cannot be shown: no known file declares it, or its value"
    }
}
