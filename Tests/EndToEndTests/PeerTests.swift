import Foundation
import TestKit
import Testing

extension EndToEnd {
    /// Other people's gRPC: PyPI's grpcio and Debian's gRPC C++ call the same RPCs.
    @Suite("Peers")
    struct PeerTests {
        typealias Mode = SystemUnderTest.Mode

        /// What a peer is told, and what it must have printed at its end.
        private func check(
            _ stage: Stage, _ command: [String], folder: URL
        ) async throws {
            let course = try await stage.course([.init(hour: 1), .init(hour: 4)])
            var environment = ProcessInfo.processInfo.environment
            environment["BOOKING"] = stage.system.target(.booking)
            environment["SCHEDULE"] = stage.system.target(.schedule)
            environment["NOTIFICATION"] = stage.system.target(.notification)
            environment["TOKEN"] = try await stage.system.token(for: .booking)
            environment["COURSE_ID"] = course.id
            environment["COURSE_CODE"] = course.code
            environment["FIRST_SLOT"] = course.slots[0]
            environment["SECOND_SLOT"] = course.slots[1]
            // grpcio asks the proxy for loopback, too.
            environment["no_proxy"] = "127.0.0.1,localhost"
            let result = try await BackgroundProcess.run(
                command[0], Array(command.dropFirst()), environment: environment, folder: folder,
                timeout: .seconds(60))
            #expect(result.status == 0, "\(result.output)\n\(result.errors)")
            let steps = Set(result.output.split(separator: "\n").map(String.init))
            guard result.status == 0 else { return }
            for step in [
                "find", "register", "duplicate", "invalid", "unauthenticated", "pending",
                "subscribe", "watch", "assign", "deadline", "cancel", "health", "reflection",
            ] {
                #expect(steps.contains("ok \(step)"), "\(step) is missing in:\n\(result.output)")
            }
        }

        @Test("Python's grpcio", arguments: Mode.allCases)
        func python(_ mode: Mode) async throws {
            guard let peer = try await Peers.python.value("", { try await Peers.makePython() })
            else { return }
            try await check(
                try await Stage.shared(mode), [peer.python, peer.script.path],
                folder: peer.generated)
        }

        @Test("gRPC C++", arguments: Mode.allCases)
        func cxx(_ mode: Mode) async throws {
            guard let program = try await Peers.cxx.value("", { try await Peers.makeCxx() })
            else { return }
            try await check(
                try await Stage.shared(mode), [program.path],
                folder: program.deletingLastPathComponent())
        }
    }
}

/// Makes the peers' programs once per run.
enum Peers {
    struct Python: Sendable {
        let python: String
        let script: URL
        let generated: URL
    }

    static let python = AsyncCache<String, Python?>()
    static let cxx = AsyncCache<String, URL?>()

    private static let protos = [
        "janji/common/v1/options.proto", "janji/common/v1/error.proto",
        "janji/events/v1/event.proto", "janji/booking/v1/slot.proto",
        "janji/booking/v1/booking.proto", "janji/booking/v1/availability.proto",
        "janji/notification/v1/notification.proto", "janji/schedule/v1/schedule.proto",
        "google/api/annotations.proto", "google/api/http.proto",
    ]
    private static var package: URL { Executables.package }

    static func makePython() async throws -> Python? {
        let named = ProcessInfo.processInfo.environment["JANJI_PYTHON"] ?? ""
        let python = named.isEmpty ? "/usr/bin/python3" : named
        let probe = try? await BackgroundProcess.run(
            python, ["-c", "import grpc, grpc_tools, grpc_reflection, grpc_health, grpc_status"])
        guard probe?.status == 0 else {
            return try skip("Python peer", "\(python) has no grpcio; set JANJI_PYTHON")
        }
        let folder = try makeFolder("python")
        let tools = try await BackgroundProcess.run(
            python, ["-c", "import grpc_tools; print(grpc_tools.__path__[0])"])
        let include = tools.output.trimmingCharacters(in: .whitespacesAndNewlines) + "/_proto"
        try await must(
            python,
            [
                "-m", "grpc_tools.protoc", "-I", package.appendingPathComponent("proto").path,
                "-I", include, "--python_out=\(folder.path)", "--grpc_python_out=\(folder.path)",
            ] + protos)
        return Python(
            python: python, script: package.appendingPathComponent("Tests/Peers/peer.py"),
            generated: folder)
    }

    static func makeCxx() async throws -> URL? {
        for tool in ["protoc", "grpc_cpp_plugin", "g++"] {
            guard FileManager.default.isExecutableFile(atPath: "/usr/bin/" + tool) else {
                return try skip("C++ peer", "there is no \(tool)")
            }
        }
        let folder = try makeFolder("cxx")
        let files =
            protos + ["grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto"]
            + ["google/rpc/status.proto", "google/rpc/error_details.proto"]
        try await must(
            "/usr/bin/protoc",
            [
                "-I", package.appendingPathComponent("proto").path, "-I", "/usr/include",
                "--cpp_out=\(folder.path)", "--grpc_out=\(folder.path)",
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin",
            ] + files)
        let program = folder.appendingPathComponent("peer")
        let units = files.map { file in
            folder.appendingPathComponent(String(file.dropLast(6))).path + ".pb.cc"
        }
        let services = [
            "janji/booking/v1/booking", "janji/booking/v1/availability",
            "janji/notification/v1/notification", "grpc/health/v1/health",
            "grpc/reflection/v1/reflection",
        ].map { folder.appendingPathComponent($0).path + ".grpc.pb.cc" }
        let sources =
            [package.appendingPathComponent("Tests/Peers/peer.cc").path] + units + services
        // One of two cores each.
        let halves = [0, 1].map { half in
            sources.enumerated().filter { $0.offset % 2 == half }.map(\.element)
        }
        _ = try await parallel(2) { half in
            for source in halves[half] {
                try await must(
                    "/usr/bin/g++",
                    [
                        "-std=c++17", "-O0", "-I", folder.path, "-c", source, "-o",
                        object(of: source, in: folder),
                    ])
            }
        }
        try await must(
            "/usr/bin/g++",
            sources.map { object(of: $0, in: folder) } + [
                "-o", program.path, "-Wl,--copy-dt-needed-entries", "-lgrpc++", "-lprotobuf",
                "-lpthread",
            ])
        return program
    }

    private static func object(of source: String, in folder: URL) -> String {
        folder.appendingPathComponent(source.replacing("/", with: "_") + ".o").path
    }

    private static func makeFolder(_ name: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-peer-\(name)-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func must(_ program: String, _ arguments: [String]) async throws {
        let result = try await BackgroundProcess.run(
            program, arguments, timeout: .seconds(300))
        guard result.status == 0 else {
            throw ClientError("\(program): \(result.errors.suffix(3_000))")
        }
    }

    /// Only a developer's machine may lack a tool chain.
    static func skip<T>(_ what: String, _ why: String) throws -> T? {
        guard ProcessInfo.processInfo.environment["CI"] == nil else {
            throw ClientError("\(what): \(why); CI needs it")
        }
        FileHandle.standardError.write(Data("skipped: \(what): \(why)\n".utf8))
        return nil
    }
}
