import Protobuf

/// Prints an enum as a struct around its number, since every proto enum is open.
struct EnumGenerator {
    let item: EnumSchema
    let types: TypeNames
    let access: String
    /// The expression of the `GeneratedFile` that declares the enum.
    let file: String

    func print(to printer: inout CodePrinter) {
        let name = types.path(item).split(separator: ".").last.map(String.init) ?? item.name
        printer.documentation(
            item.file.comments(item.path), deprecated: item.options.isDeprecated)
        let protocols = "Swift::RawRepresentable, Swift::Sendable, Swift::Hashable"
        printer.block("\(access)struct \(name): \(protocols)") { printer in
            printer.line("\(access)var rawValue: Swift::Int32")
            printer.line()
            printer.line("\(access)init(rawValue: Swift::Int32) { self.rawValue = rawValue }")
            printer.line()
            for (index, (value, name)) in zip(item.values, valueNames).enumerated() {
                printer.documentation(
                    item.file.comments(item.path + [2, Int32(index)]),
                    deprecated: value.options.varint(extension: 1) == 1)
                printer.line(
                    "\(access)static let \(SwiftIdentifier.escaped(name)) = "
                        + "\(types.path(item))(rawValue: \(value.number))")
            }
            printer.line()
            printer.line("\(access)static let schema: Protobuf::EnumSchema = \(file)")
            printer.line("    .enumeration(\"\(item.fullName)\")")
        }
    }

    /// The values without the enum's name in front of each.
    private var valueNames: [String] {
        var scope = NameScope(
            reserved: SwiftIdentifier.reservedMembers.union(["schema"]))
        let prefix = commonPrefix
        return item.values.map { value in
            scope.claim(SwiftIdentifier.lowerCamel(value.name.dropFirst(prefix)))
        }
    }

    /// Length of `BOOKING_STATUS_` when every value begins so, else 0. In a message, the
    /// message's name may stand in front of the enum's.
    private var commonPrefix: Int {
        let own = squashed(item.name)
        let outer = squashed((item.parent?.name ?? "") + item.name)
        for wanted in [own, outer] {
            let lengths = Set(item.values.map { prefix(of: $0.name, wanted) })
            if lengths.count == 1, let length = lengths.first, length > 0 { return length }
        }
        return 0
    }

    private func prefix(of name: String, _ wanted: String) -> Int {
        var rest = wanted[...]
        var length = 0
        for character in name {
            length += 1
            if rest.isEmpty { return character == "_" && nameGoesOn(name, length) ? length : 0 }
            if character == "_" { continue }
            guard character.lowercased() == rest.first.map(String.init) else { return 0 }
            rest.removeFirst()
        }
        return 0
    }

    /// Whether a name is left that Swift accepts.
    private func nameGoesOn(_ name: String, _ length: Int) -> Bool {
        name.dropFirst(length).first(where: { $0 != "_" })?.isLetter == true
    }

    private func squashed(_ name: String) -> String {
        name.filter { $0 != "_" }.lowercased()
    }
}
