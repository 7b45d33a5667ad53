import Protobuf

/// Prints a message as a struct, its nested types inside.
struct MessageGenerator {
    let message: MessageSchema
    let types: TypeNames
    let access: String
    /// The expression of the `GeneratedFile` that declares the message.
    let file: String
    private let members: [Member]

    /// One stored property.
    private enum Member {
        case single(FieldCode)
        case optional(FieldCode)
        case boxed(FieldCode)
        case list(FieldCode)
        case map(FieldCode, key: FieldCode, value: FieldCode)
        case oneof(OneofCode)
    }

    init(
        _ message: MessageSchema, types: TypeNames, access: String, file: String,
        recursion: inout RecursiveFields
    ) {
        self.message = message
        self.types = types
        self.access = access
        self.file = file
        var scope = NameScope(reserved: SwiftIdentifier.reservedMembers)
        var members: [Member] = []
        for field in message.fields {
            if let oneof = field.oneof {
                guard oneof.fields.first === field else { continue }
                let isRecursive = oneof.fields.contains { recursion.isRecursive($0, in: message) }
                let name = scope.claim(SwiftIdentifier.lowerCamel(oneof.name))
                members.append(
                    .oneof(
                        OneofCode(
                            oneof, of: message, property: name, isIndirect: isRecursive,
                            types: types)))
                continue
            }
            let name = scope.claim(SwiftIdentifier.lowerCamel(field.name))
            let code = FieldCode(field, name: name, types: types)
            if field.isMap, let entry = field.messageType, entry.fields.count == 2 {
                members.append(
                    .map(
                        code, key: FieldCode(entry.fields[0], name: "key", types: types),
                        value: FieldCode(entry.fields[1], name: "value", types: types)))
            } else if field.isRepeated {
                members.append(.list(code))
            } else if recursion.isRecursive(field, in: message) {
                members.append(.boxed(code))
            } else {
                members.append(field.hasPresence ? .optional(code) : .single(code))
            }
        }
        self.members = members
    }

    func print(to printer: inout CodePrinter, _ recursion: inout RecursiveFields) {
        let path = types.path(message)
        let name = path.split(separator: ".").last.map(String.init) ?? message.name
        printer.documentation(
            message.file.comments(message.path), deprecated: message.options.isDeprecated)
        var copy = recursion
        printer.block("\(access)struct \(name): Protobuf::Message") { printer in
            for member in members { property(member, &printer) }
            printer.line("\(access)var unknownFields = Protobuf::UnknownFields()")
            printer.line()
            printer.line("\(access)init() {}")
            printer.line()
            printer.line("\(access)static let schema: Protobuf::MessageSchema = \(file)")
            printer.line("    .message(\"\(message.fullName)\")")
            printer.line()
            reading(&printer)
            printer.line()
            writing(&printer)
            nested(&printer, &copy)
        }
        recursion = copy
    }

    private func nested(_ printer: inout CodePrinter, _ recursion: inout RecursiveFields) {
        for case .oneof(let oneof) in members {
            printer.line()
            oneof.declaration(access, to: &printer)
        }
        for item in message.enums {
            printer.line()
            EnumGenerator(item: item, types: types, access: access, file: file).print(to: &printer)
        }
        for inner in message.messages where !inner.isMapEntry {
            printer.line()
            MessageGenerator(
                inner, types: types, access: access, file: file, recursion: &recursion
            ).print(to: &printer, &recursion)
        }
    }

    // MARK: Properties

    private func property(_ member: Member, _ printer: inout CodePrinter) {
        switch member {
        case .single(let code):
            declare(code, "\(code.element) = \(code.zero)", &printer)
        case .optional(let code):
            declare(code, "\(code.element)?", &printer)
        case .list(let code):
            declare(code, "[\(code.element)] = []", &printer)
        case .map(let code, let key, let value):
            declare(code, "[\(key.element): \(value.element)] = [:]", &printer)
        case .boxed(let code):
            document(code, &printer)
            let name = SwiftIdentifier.escaped(code.name)
            printer.block("\(access)var \(name): \(code.element)?") { printer in
                printer.line("get { self._\(code.name).first }")
                printer.line("set { self._\(code.name) = newValue.map { [$0] } ?? [] }")
            }
            printer.line("/// At most one: a struct cannot hold itself, but an array of itself.")
            printer.line("private var _\(code.name): [\(code.element)] = []")
        case .oneof(let oneof):
            printer.documentation(message.file.comments(message.path + [8, Int32(oneof.index)]))
            let name = SwiftIdentifier.escaped(oneof.property)
            printer.line("\(access)var \(name): \(oneof.path)?")
        }
    }

    private func declare(_ code: FieldCode, _ type: String, _ printer: inout CodePrinter) {
        document(code, &printer)
        printer.line("\(access)var \(SwiftIdentifier.escaped(code.name)): \(type)")
    }

    private func document(_ code: FieldCode, _ printer: inout CodePrinter) {
        printer.documentation(
            message.file.comments(message.path + [2, Int32(code.field.index)]),
            deprecated: code.field.options.isDeprecated, absent: code.absent)
    }

    // MARK: Codec

    private func reading(_ printer: inout CodePrinter) {
        let head =
            "\(access)init(reading reader: Protobuf::MessageReader) "
            + "throws(Protobuf::ProtobufError)"
        printer.block(head) { printer in
            for field in message.fields where field.cardinality == .required {
                printer.line(
                    "guard reader.has(\(field.index)) else { throw .missing(\"\(field.fullName)\") }"
                )
            }
            for member in members { read(member, &printer) }
            printer.line("self.unknownFields = reader.unknownFields")
        }
    }

    private func read(_ member: Member, _ printer: inout CodePrinter) {
        switch member {
        case .single(let code):
            printer.line("self.\(code.name) = \(code.read())")
        case .optional(let code) where code.field.isMessage:
            printer.line("self.\(code.name) = \(code.readMessage())")
        case .boxed(let code):
            printer.line("self.\(code.name) = \(code.readMessage())")
        case .optional(let code):
            printer.line(
                "if reader.has(\(code.field.index)) { self.\(code.name) = \(code.read()) }")
        case .list(let code):
            printer.line("self.\(code.name) = \(code.readList())")
        case .map(let code, let key, let value):
            let index = code.field.index
            let count = "reader.count(\(index))"
            printer.line("if \(count) > 0 { self.\(code.name).reserveCapacity(\(count)) }")
            printer.block("for index in 0..<reader.count(\(index))") { printer in
                printer.line("let entry = reader.entry(\(index), index)")
                let value =
                    value.field.isMessage
                    ? "\(value.readMessage("entry")) ?? \(value.zero)" : value.read("entry")
                printer.line("self.\(code.name)[\(key.read("entry"))] = \(value)")
            }
        case .oneof(let oneof): oneof.read(to: &printer)
        }
    }

    private func writing(_ printer: inout CodePrinter) {
        printer.block("\(access)func write(to writer: Protobuf::MessageWriter)") { printer in
            for member in members { write(member, &printer) }
            printer.line("writer.unknownFields(self.unknownFields)")
        }
    }

    private func write(_ member: Member, _ printer: inout CodePrinter) {
        switch member {
        case .single(let code):
            printer.line(code.write("self.\(code.name)"))
        case .optional(let code) where code.field.isMessage:
            printer.line(code.write("self.\(code.name)"))
        case .boxed(let code):
            printer.line(code.write("self.\(code.name)"))
        case .optional(let code):
            printer.line("if let value = self.\(code.name) { \(code.set("value")) }")
        case .list(let code):
            printer.line(code.writeList("self.\(code.name)"))
        case .map(let code, let key, let value):
            let index = code.field.index
            printer.block("if !self.\(code.name).isEmpty") { printer in
                printer.line("writer.entries(\(index), self.\(code.name).count)")
                printer.block("for (index, pair) in self.\(code.name).enumerated()") { printer in
                    printer.line("let entry = writer.entry(\(index), index)")
                    printer.line(key.write("pair.key", to: "entry"))
                    printer.line(value.write("pair.value", to: "entry"))
                }
            }
        case .oneof(let oneof): oneof.write(to: &printer)
        }
    }
}
