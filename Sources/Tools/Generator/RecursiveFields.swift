import Protobuf

/// Finds the fields through which a message would contain itself by value.
///
/// Lists and maps live on the heap anyway, so only single sub-messages count.
struct RecursiveFields {
    private var reachable: [String: Set<String>] = [:]

    /// Whether the field's message leads back to the message that declares it.
    mutating func isRecursive(_ field: FieldSchema, in message: MessageSchema) -> Bool {
        guard let next = RecursiveFields.target(field) else { return false }
        return messages(from: next).contains(message.fullName)
    }

    private mutating func messages(from start: MessageSchema) -> Set<String> {
        if let known = reachable[start.fullName] { return known }
        var found: Set<String> = [start.fullName]
        var rest = [start]
        while let message = rest.popLast() {
            for field in message.fields {
                guard let next = RecursiveFields.target(field) else { continue }
                if found.insert(next.fullName).inserted { rest.append(next) }
            }
        }
        reachable[start.fullName] = found
        return found
    }

    private static func target(_ field: FieldSchema) -> MessageSchema? {
        field.isRepeated ? nil : field.messageType
    }
}
