import Protobuf
import RPC

/// Headers and trailers, for people and for programs. Binary values are base64.
enum MetadataText {
    static func lines(_ metadata: Metadata) -> [String] {
        metadata.map { "\($0.name): \(text($0.value))" }
    }

    /// Each name with the list of its values.
    static func json(_ metadata: Metadata) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        for field in metadata where !members.contains(where: { $0.key == field.name }) {
            let values = metadata.filter { $0.name == field.name }.map { text($0.value) }
            members.append((field.name, .array(values.map { .string($0) })))
        }
        return .object(members)
    }

    /// The inverse of `json`.
    /// - Throws: `Failure` when it is no object of lists of strings.
    static func parse(_ json: JSONValue?) throws(Failure) -> Metadata {
        var metadata = Metadata()
        guard let json else { return metadata }
        guard case .object(let members) = json else {
            throw Failure("metadata must be an object of lists")
        }
        for (name, values) in members {
            for value in values.array ?? [] {
                guard let text = value.string else {
                    throw Failure("the values of \(name) must be strings")
                }
                if name.hasSuffix("-bin") {
                    guard let bytes = MetadataBase64.decode(text.utf8) else {
                        throw Failure("the value of \(name) must be base64")
                    }
                    metadata.add(binary: bytes, for: name)
                } else {
                    metadata.add(text, for: name)
                }
            }
        }
        return metadata
    }

    private static func text(_ value: Metadata.Value) -> String {
        switch value {
        case .text(let text): text
        case .binary(let bytes): String(decoding: MetadataBase64.encode(bytes), as: UTF8.self)
        }
    }
}
