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

    private static func text(_ value: Metadata.Value) -> String {
        switch value {
        case .text(let text): text
        case .binary(let bytes): String(decoding: MetadataBase64.encode(bytes), as: UTF8.self)
        }
    }
}
