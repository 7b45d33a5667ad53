public import Foundation

/// Programs made of other people's gRPC: what is in `Tests/Peers`, with the code that their own
/// generators make of `proto/`.
public enum PeerPrograms {
    public struct Python: Sendable {
        /// The interpreter, which has grpcio.
        public let python: String
        public let script: String
        /// To run it in: the generated modules lie here.
        public let folder: URL
    }

    private static var package: URL { Executables.package }
    private static var protos: String { package.appendingPathComponent("proto").path }

    /// A script for PyPI's grpcio; nil where a developer has none.
    /// - Parameters:
    ///   - modules: what the script imports besides grpcio.
    ///   - files: paths in `proto/`.
    public static func python(
        _ script: String, modules: [String] = [], files: [String]
    ) async throws -> Python? {
        let named = ProcessInfo.processInfo.environment["JANJI_PYTHON"] ?? ""
        let python = named.isEmpty ? "/usr/bin/python3" : named
        let imports = (["grpc", "grpc_tools"] + modules).joined(separator: ", ")
        let probe = try? await BackgroundProcess.run(python, ["-c", "import \(imports)"])
        guard probe?.status == 0 else {
            return try skip("Python peer", "\(python) has no \(imports); set JANJI_PYTHON")
        }
        let folder = try makeFolder(script)
        let tools = try await BackgroundProcess.run(
            python, ["-c", "import grpc_tools; print(grpc_tools.__path__[0])"])
        let include = tools.output.trimmingCharacters(in: .whitespacesAndNewlines) + "/_proto"
        try await must(
            python,
            [
                "-m", "grpc_tools.protoc", "-I", protos, "-I", include,
                "--python_out=\(folder.path)", "--grpc_python_out=\(folder.path)",
            ] + files)
        return Python(
            python: python, script: package.appendingPathComponent("Tests/Peers/" + script).path,
            folder: folder)
    }

    /// A program for Debian's gRPC C++; nil where a developer lacks the tools.
    /// - Parameters:
    ///   - files: paths in `proto/`.
    ///   - services: those of them, without `.proto`, that have services.
    public static func cxx(
        _ source: String, files: [String], services: [String]
    ) async throws -> URL? {
        for tool in ["protoc", "grpc_cpp_plugin", "g++"] {
            guard FileManager.default.isExecutableFile(atPath: "/usr/bin/" + tool) else {
                return try skip("C++ peer", "there is no \(tool)")
            }
        }
        let folder = try makeFolder(source)
        try await must(
            "/usr/bin/protoc",
            [
                "-I", protos, "-I", "/usr/include", "--cpp_out=\(folder.path)",
                "--grpc_out=\(folder.path)",
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin",
            ] + files)
        let generated =
            files.map { String($0.dropLast(6)) + ".pb.cc" } + services.map { $0 + ".grpc.pb.cc" }
        let sources =
            [package.appendingPathComponent("Tests/Peers/" + source).path]
            + generated.map { folder.appendingPathComponent($0).path }
        let program = folder.appendingPathComponent("peer")
        try await compile(sources, in: folder)
        try await must(
            "/usr/bin/g++",
            sources.map { object(of: $0, in: folder) } + [
                "-o", program.path, "-Wl,--copy-dt-needed-entries", "-lgrpcpp_channelz",
                "-lgrpc++", "-lprotobuf",
                "-lpthread",
            ])
        return program
    }

    /// On two cores.
    private static func compile(_ sources: [String], in folder: URL) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for half in 0..<2 {
                group.addTask {
                    for (index, source) in sources.enumerated() where index % 2 == half {
                        try await must(
                            "/usr/bin/g++",
                            [
                                "-std=c++17", "-O0", "-I", folder.path, "-c", source, "-o",
                                object(of: source, in: folder),
                            ])
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func object(of source: String, in folder: URL) -> String {
        folder.appendingPathComponent(source.replacing("/", with: "_") + ".o").path
    }

    private static func makeFolder(_ name: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-\(name)-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func must(_ program: String, _ arguments: [String]) async throws {
        let result = try await BackgroundProcess.run(
            program, arguments, timeout: .seconds(900))
        guard result.status == 0 else {
            throw BackgroundProcess.Failure(
                description: "\(program): \(result.errors.suffix(3_000))")
        }
    }

    /// Only a developer's machine may lack a tool chain.
    public static func skip<T>(_ what: String, _ why: String) throws -> T? {
        guard ProcessInfo.processInfo.environment["CI"] == nil else {
            throw BackgroundProcess.Failure(description: "\(what): \(why); CI needs it")
        }
        FileHandle.standardError.write(Data("skipped: \(what): \(why)\n".utf8))
        return nil
    }
}
