import Glibc
import Protobuf
import Testing

/// Runs the real protoc, with the includes that deploy/generate uses.
enum Protoc {
    struct Failure: Error {
        var command: String
        var output: String
    }

    static let root: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// Serialized `FileDescriptorProto`s of the file and all it imports, comments included.
    static func descriptors(_ file: String) throws -> [[UInt8]] {
        let set = try run(
            "--include_imports --include_source_info --descriptor_set_out=/dev/stdout \(file)")
        var reader = WireReader(set)
        var files: [[UInt8]] = []
        while let (number, type) = try reader.tag() {
            try #require(number == 1 && type == .bytes)
            files.append(try reader.lengthDelimited())
        }
        return files
    }

    /// The bytes of a message in text format.
    static func encode(_ text: String, as message: String, in file: String) throws -> [UInt8] {
        try run("--encode=\(message) \(file)", input: Array(text.utf8))
    }

    /// A message in text format.
    static func decode(_ bytes: [UInt8], as message: String, in file: String) throws -> String {
        String(decoding: try run("--decode=\(message) \(file)", input: bytes), as: UTF8.self)
    }

    static func run(_ arguments: String, input: [UInt8] = []) throws -> [UInt8] {
        var template = Array("/tmp/janji-protoc-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        defer {
            close(descriptor)
            unlink(path)
        }
        try #require(write(descriptor, input, input.count) == input.count)
        let command =
            "cd \(root) && protoc -I proto -I Tests/Protos -I /usr/include \(arguments) <\(path)"
        let pipe = try #require(popen(command, "r"))
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 {
            output += buffer[..<count]
        }
        guard pclose(pipe) == 0 else {
            throw Failure(command: command, output: String(decoding: output, as: UTF8.self))
        }
        return output
    }

    /// A checked-in file.
    static func read(_ path: String) throws -> String {
        let file = try #require(fopen("\(root)/\(path)", "r"), "\(path) cannot be opened")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
