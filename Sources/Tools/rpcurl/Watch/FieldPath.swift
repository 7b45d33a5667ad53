import Protobuf

/// The way to a field inside a message: `cursor.position`.
struct FieldPath: Sendable, Hashable {
    let names: [String]
    var text: String { names.joined(separator: ".") }

    /// - Throws: `Failure` when a name is empty.
    init(_ text: String) throws(Failure) {
        names = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard names.allSatisfy({ !$0.isEmpty }) else {
            throw .usage("\"\(text)\" is no path of a field: expected names with dots between")
        }
    }

    /// The fields of the path, by their names in the .proto file or their JSON names.
    /// - Throws: `Failure` when the type has no such field.
    func fields(of schema: MessageSchema) throws(Failure) -> [FieldSchema] {
        var fields: [FieldSchema] = []
        var current: MessageSchema? = schema
        for name in names {
            guard let message = current else {
                throw .usage("\(text): \(fields.last?.fullName ?? "it") is no message")
            }
            guard let field = message.field(named: name) else {
                throw .usage(
                    "\(text): \(message.fullName) has no field \(name); "
                        + Suggestion.text(name, of: message.fields.map(\.name), "fields"))
            }
            guard !field.isRepeated else {
                throw .usage("\(text): \(field.fullName) is repeated; a path takes single fields")
            }
            fields.append(field)
            current = field.messageType
        }
        return fields
    }
}
