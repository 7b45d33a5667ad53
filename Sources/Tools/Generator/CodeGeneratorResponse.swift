import Protobuf

/// `google.protobuf.compiler.CodeGeneratorResponse`: what the plugin answers.
struct CodeGeneratorResponse: Sendable, Hashable {
    struct File: Sendable, Hashable {
        var name: String
        var content: String
    }

    var error: String?
    var files: [File] = []

    func encoded() -> [UInt8] {
        var writer = WireWriter()
        if let error { writer.field(1, string: error) }
        // FEATURE_PROTO3_OPTIONAL: without it protoc refuses protos that say `optional`.
        writer.field(2, varint: 1)
        for file in files {
            writer.field(
                15,
                message: { writer in
                    writer.field(1, string: file.name)
                    writer.field(15, string: file.content)
                })
        }
        return writer.bytes
    }
}
