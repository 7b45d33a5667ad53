import Protobuf

/// `google.protobuf.compiler.CodeGeneratorRequest`: what protoc writes to the plugin.
struct CodeGeneratorRequest: Sendable {
    /// Names of the files that code is wanted for.
    var filesToGenerate: [String] = []
    var parameter = ""
    /// Serialized `FileDescriptorProto`s, every file behind the ones it imports.
    var files: [[UInt8]] = []

    init(_ bytes: [UInt8]) throws(GeneratorError) {
        do {
            var reader = WireReader(bytes)
            while let (number, type) = try reader.tag() {
                switch (number, type) {
                case (1, .bytes): filesToGenerate.append(try reader.string())
                case (2, .bytes): parameter = try reader.string()
                case (15, .bytes): files.append(try reader.lengthDelimited())
                default: try reader.skip(number, type)
                }
            }
        } catch {
            throw GeneratorError(
                .request, "the request is not a CodeGeneratorRequest", cause: "\(error)")
        }
    }
}
