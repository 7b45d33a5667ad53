import Protobuf

/// How a oneof is spelled: an enum with a case per field, and an optional property.
struct OneofCode {
    let property: String
    /// Position among the message's oneofs, for comments.
    let index: Int
    /// Complete from the namespace on.
    let path: String
    private let name: String
    private let isIndirect: Bool
    private let cases: [FieldCode]
    private let message: MessageSchema

    init(
        _ oneof: OneofSchema, of message: MessageSchema, property: String, isIndirect: Bool,
        types: TypeNames
    ) {
        self.property = property
        self.message = message
        self.isIndirect = isIndirect
        index = oneof.index
        name = types.oneof(oneof, of: message)
        path = "\(types.path(message)).\(name)"
        var scope = NameScope(
            reserved: SwiftIdentifier.reservedMembers.union(SwiftIdentifier.reservedCases))
        cases = oneof.fields.map { field in
            FieldCode(
                field, name: scope.claim(SwiftIdentifier.lowerCamel(field.name)), types: types)
        }
    }

    func declaration(_ access: String, to printer: inout CodePrinter) {
        let indirect = isIndirect ? "indirect " : ""
        printer.block("\(access)\(indirect)enum \(name): Swift::Sendable, Swift::Hashable") {
            printer in
            for code in cases {
                printer.documentation(
                    message.file.comments(message.path + [2, Int32(code.field.index)]),
                    deprecated: code.field.options.isDeprecated)
                printer.line("case \(SwiftIdentifier.escaped(code.name))(\(code.element))")
            }
        }
    }

    /// Several members of a oneof never arrive together: the last one on the wire wins.
    func read(to printer: inout CodePrinter) {
        guard let first = cases.first else { return }
        printer.line("switch reader.oneofCase(\(first.field.index)) {")
        for code in cases {
            printer.line("case \(code.field.number):")
            printer.indented { printer in
                if code.field.isMessage {
                    printer.line("if let value = \(code.readMessage()) {")
                    printer.line("    self.\(property) = .\(code.name)(value)")
                    printer.line("}")
                } else {
                    printer.line("self.\(property) = .\(code.name)(\(code.read()))")
                }
            }
        }
        printer.line("default: break")
        printer.line("}")
    }

    func write(to printer: inout CodePrinter) {
        printer.line("switch self.\(property) {")
        for code in cases {
            printer.line("case .\(code.name)(let value)?: \(code.set("value"))")
        }
        printer.line("case nil: break")
        printer.line("}")
    }
}
