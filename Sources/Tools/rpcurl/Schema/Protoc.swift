import Glibc
import Loop

/// Compiles .proto files with protoc, which knows the language better than we ever will.
struct Protoc {
    let loop: EventLoop
    let environment: [String: String]

    /// - Parameter importPaths: where the files and their imports are looked for; when empty, the
    ///   working folder, or the folder of the file when it lies outside.
    /// - Returns: a `FileDescriptorSet` with all imports.
    /// - Throws: `Failure` with what protoc says.
    func descriptorSet(of files: [String], importPaths: [String]) async throws -> [UInt8] {
        let executable = try find()
        let output = try TemporaryFile()
        let messages = try TemporaryFile()
        defer {
            output.remove()
            messages.remove()
        }
        var arguments = [
            "--include_imports", "--include_source_info",
            "--descriptor_set_out=\(output.path)",
        ]
        for path in importPaths.isEmpty ? Protoc.folders(of: files) : importPaths {
            arguments.append("--proto_path=\(path)")
        }
        let child = try await ChildProcess.start(
            executable: executable, arguments: arguments + files, output: messages.descriptor,
            on: loop)
        let code = await child.waitForExit()
        guard code == 0 else {
            let text = try await InputFile.contents(of: messages.path, on: loop)
            var said = String(decoding: text, as: UTF8.self)
            while said.last == "\n" { said.removeLast() }
            if said.isEmpty { said = "exit code \(code)" }
            let hint = importPaths.isEmpty ? "; -import-path DIR says where imports lie" : ""
            throw Failure("protoc cannot compile \(files.joined(separator: ", "))\(hint):\n\(said)")
        }
        return try await InputFile.contents(of: output.path, on: loop)
    }

    private static func folders(of files: [String]) -> [String] {
        var folders: [String] = []
        for file in files {
            let isInside = !file.hasPrefix("/") && !file.hasPrefix("..")
            let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
            let wanted = isInside ? "." : folder.isEmpty ? "/" : folder
            if !folders.contains(wanted) { folders.append(wanted) }
        }
        return folders
    }

    private func find() throws(Failure) -> String {
        for folder in (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
        where access("\(folder)/protoc", X_OK) == 0 {
            return "\(folder)/protoc"
        }
        throw Failure(
            "-proto needs protoc, which is not in PATH: install it (apt install "
                + "protobuf-compiler), or give the schema with -protoset")
    }
}
