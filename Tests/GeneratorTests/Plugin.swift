import Generator
import Protobuf

/// Speaks to the generator as protoc does.
enum Plugin {
    struct Response {
        var error: String?
        var features: UInt64 = 0
        var files: [(name: String, content: String)] = []
    }

    static func request(_ wanted: [String], parameter: String, files: [[UInt8]]) -> [UInt8] {
        var writer = WireWriter()
        for name in wanted { writer.field(1, string: name) }
        writer.field(2, string: parameter)
        for file in files { writer.field(15, bytes: file) }
        return writer.bytes
    }

    static func respond(to request: [UInt8]) throws -> Response {
        var response = Response()
        var reader = WireReader(Generator.respond(to: request))
        while let (number, type) = try reader.tag() {
            switch number {
            case 1: response.error = try reader.string()
            case 2: response.features = try reader.varint()
            case 15:
                var inner = try reader.nested()
                var file = (name: "", content: "")
                while let (number, type) = try inner.tag() {
                    switch number {
                    case 1: file.name = try inner.string()
                    case 15: file.content = try inner.string()
                    default: try inner.skip(number, type)
                    }
                }
                response.files.append(file)
            default: try reader.skip(number, type)
            }
        }
        return response
    }
}
