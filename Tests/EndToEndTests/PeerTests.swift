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
                timeout: .seconds(300))
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
                try await Stage.shared(mode), [peer.python, peer.script],
                folder: peer.folder)
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
    static let python = AsyncCache<String, PeerPrograms.Python?>()
    static let cxx = AsyncCache<String, URL?>()

    private static let protos = [
        "janji/common/v1/options.proto", "janji/common/v1/error.proto",
        "janji/events/v1/event.proto", "janji/booking/v1/slot.proto",
        "janji/booking/v1/booking.proto", "janji/booking/v1/availability.proto",
        "janji/notification/v1/notification.proto", "janji/schedule/v1/schedule.proto",
        "google/api/annotations.proto", "google/api/http.proto",
    ]

    static func makePython() async throws -> PeerPrograms.Python? {
        try await PeerPrograms.python(
            "peer.py", modules: ["grpc_reflection", "grpc_health", "grpc_status"], files: protos)
    }

    static func makeCxx() async throws -> URL? {
        try await PeerPrograms.cxx(
            "peer.cc",
            files: protos + [
                "grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
                "google/rpc/status.proto", "google/rpc/error_details.proto",
            ],
            services: [
                "janji/booking/v1/booking", "janji/booking/v1/availability",
                "janji/notification/v1/notification", "grpc/health/v1/health",
                "grpc/reflection/v1/reflection",
            ])
    }
}
