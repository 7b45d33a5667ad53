import Protobuf

/// `describe`: declarations as .proto source, or a JSON template of a message.
struct DescribeCommand {
    private let session: Session
    private var source: any SchemaSource { session.source }

    init(_ session: Session) {
        self.session = session
    }

    func run(_ symbol: String?) async throws {
        guard let symbol else {
            let names = try await source.services()
            for (index, name) in names.enumerated() {
                if index > 0 { try session.output.line("") }
                let (service, pool) = try await source.service(name)
                var printer = ProtoPrinter(pool)
                printer.service(service)
                try session.output.line(printer.text)
            }
            return
        }
        let name = DescribeCommand.normalised(symbol)
        guard let pool = try await pool(name) else {
            throw Failure(
                "there is no symbol \(name); "
                    + Suggestion.text(name, of: try await source.services(), "services"))
        }
        if session.settings.template {
            try template(name, pool)
        } else if let text = text(name, pool) {
            try session.output.line(text)
        } else {
            throw Failure("\(name) is known, but is no service, method, message, enum or extension")
        }
    }

    /// `.pkg.Message`, `pkg.Service/Method` and `/pkg.Service/Method` are understood too.
    static func normalised(_ symbol: String) -> String {
        let text = symbol.drop { $0 == "." || $0 == "/" }
        return String(text.map { $0 == "/" ? "." : $0 })
    }

    /// Not every server finds methods and fields: then what they belong to is asked for.
    func pool(_ name: String) async throws -> DescriptorPool? {
        if let pool = try await source.pool(containing: name) { return pool }
        guard let parent = DescribeCommand.split(name)?.parent,
            let pool = try await source.pool(containing: parent)
        else { return nil }
        return pool.file(containing: name) == nil ? nil : pool
    }

    private static func split(_ name: String) -> (parent: String, last: String)? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        return (String(name[..<dot]), String(name[name.index(after: dot)...]))
    }

    private func method(
        _ name: String, _ pool: DescriptorPool
    ) -> (service: ServiceSchema, method: MethodSchema)? {
        guard let (parent, last) = DescribeCommand.split(name), let service = pool.service(parent),
            let method = service.method(named: last)
        else { return nil }
        return (service, method)
    }

    private func text(_ name: String, _ pool: DescriptorPool) -> String? {
        var printer = ProtoPrinter(pool)
        if let service = pool.service(name) {
            printer.service(service)
        } else if let message = pool.message(name) {
            printer.message(message)
        } else if let item = pool.enumeration(name) {
            printer.enumeration(item)
        } else if let (service, method) = method(name, pool) {
            printer.method(method, of: service)
        } else if let file = pool.file(containing: name) {
            if let (field, message) = extensionField(name, file) {
                printer.extensionField(field, in: message, of: file)
            } else if let (parent, last) = DescribeCommand.split(name) {
                if let message = pool.message(parent) { printer.member(last, of: message) }
                if printer.lines.isEmpty, let item = enumeration(of: last, in: parent, file) {
                    printer.enumeration(item)
                }
            }
        }
        return printer.lines.isEmpty ? nil : printer.text
    }

    /// The one that has a value, which is named as if it stood beside its enum.
    private func enumeration(
        of value: String, in scope: String, _ file: FileSchema
    ) -> EnumSchema? {
        let all = file.enums + file.allMessages.flatMap(\.enums)
        return all.first { item in
            let outer = item.fullName.dropLast(item.name.utf8.count + 1)
            return outer == scope && item.value(named: value) != nil
        }
    }

    private func extensionField(
        _ name: String, _ file: FileSchema
    ) -> (field: FieldSchema, message: MessageSchema?)? {
        if let field = file.extensions.first(where: { $0.fullName == name }) { return (field, nil) }
        for message in file.allMessages {
            if let field = message.extensions.first(where: { $0.fullName == name }) {
                return (field, message)
            }
        }
        return nil
    }

    private func template(_ name: String, _ pool: DescriptorPool) throws {
        guard let schema = pool.message(name) ?? method(name, pool)?.method.input else {
            throw Failure("-template takes a message or a method; \(name) is neither")
        }
        let json = MessageTemplate.json(schema, originalNames: session.settings.originalNames)
        try session.output.line(JSONText.layout(json, compact: session.settings.compact))
    }
}
