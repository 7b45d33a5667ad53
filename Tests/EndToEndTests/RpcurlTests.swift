import Foundation
import Protobuf
import TestKit
import Testing

extension EndToEnd {
    @Suite("rpcurl against the running system")
    struct RpcurlTests {
        typealias Mode = SystemUnderTest.Mode

        private func rpcurl(_ arguments: [String]) async throws -> (
            status: Int32, output: String, errors: String
        ) {
            try await BackgroundProcess.run(
                Executables.rpcurl, arguments)
        }

        @Test("list and describe by reflection", arguments: Mode.allCases)
        func describe(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let target = stage.system.target(.booking)
            let list = try await rpcurl([target, "list"])
            #expect(list.status == 0, "\(list)")
            for name in ["janji.booking.v1.Bookings", "grpc.health.v1.Health"] {
                #expect(list.output.contains(name), "\(list.output)")
            }
            let service = try await rpcurl([target, "describe", "janji.booking.v1.Availability"])
            #expect(service.status == 0, "\(service)")
            #expect(service.output.contains("rpc Watch"), "\(service.output)")
            #expect(service.output.contains("stream"), "\(service.output)")
            let message = try await rpcurl([target, "describe", "janji.booking.v1.Slot"])
            #expect(message.output.contains("slots_remaining"), "\(message.output)")
        }

        @Test("top: the process, where it listens, and who is connected", arguments: Mode.allCases)
        func top(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let target = stage.system.target(.booking)
            let stranger = try await rpcurl([target, "top", "-once"])
            #expect(stranger.status == 64 + 16, "who is connected is for the staff: \(stranger)")
            let token = try await stage.system.token(audience: "channelz")
            let top = try await rpcurl([
                "-json", "-H", "authorization: Bearer \(token)", target, "top", "-once",
            ])
            #expect(top.status == 0, "\(top)")
            let json = try JSONValue.parse(Array(top.output.utf8))
            let server = try #require(json["servers"]?.array?.first)
            let port = target.split(separator: ":").last ?? ""
            #expect(
                server["listens"]?.array?.contains { $0.string?.hasSuffix(":\(port)") == true }
                    == true, "\(top.output)")
            #expect(server["calls"]?["started"]?.double ?? 0 > 0)
            #expect(json["connections"]?.array?.isEmpty == false)
        }

        @Test("call: unary, streaming, and errors with their details", arguments: Mode.allCases)
        func call(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1), .init(hour: 4)])
            let target = stage.system.target(.booking)
            let found = try await rpcurl([
                target, "call", "janji.booking.v1.Availability/FindSlots",
                #"{"course_id":"\#(course.code)"}"#,
            ])
            #expect(found.status == 0, "\(found)")
            let json = try JSONValue.parse(Array(found.output.utf8))
            #expect(json["slots"]?.array?.compactMap { $0["id"]?.string } == course.slots)

            let refused = try await rpcurl([
                target, "call", "janji.booking.v1.Bookings/RegisterCourse",
                #"{"email":"nobody","course_id":"\#(course.id)"}"#,
            ])
            #expect(refused.status != 0)
            let text = refused.errors + refused.output
            for word in ["INVALID_ARGUMENT", "VALIDATION_FAILED", "guardian_wa_number"] {
                #expect(text.contains(word), "\(text)")
            }
            let wrong = try await rpcurl([
                target, "call", "janji.booking.v1.Availability/FindSlots", #"{"colour":"blue"}"#,
            ])
            #expect(wrong.status != 0 && wrong.errors.contains("colour"), "\(wrong)")

            let token = try await stage.system.token(for: .booking)
            let pending = try await rpcurl([
                "-H", "authorization: Bearer \(token)", target, "call",
                "janji.booking.v1.Bookings/ListPending", "{}",
            ])
            #expect(pending.status == 0, "\(pending)")
        }

        @Test("call of a stream prints every message as it comes", arguments: Mode.allCases)
        func stream(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let log = stage.system.folder.appendingPathComponent("watch-\(course.code).log")
            let watch = try BackgroundProcess(
                Executables.rpcurl,
                [
                    stage.system.target(.booking), "call", "janji.booking.v1.Availability/Watch",
                    #"{"course_id":"\#(course.code)"}"#,
                ], environment: ProcessInfo.processInfo.environment, logFile: log)
            #expect(try await eventually { watch.log.contains("snapshot") }, "\(watch.log)")
            let id = try await stage.confirmed(course)
            #expect(try await stage.assign(id, course.slots[0]).status == 200)
            #expect(try await eventually { watch.log.contains("changed") }, "\(watch.log)")
            watch.signal(SIGINT)
            #expect(await watch.waitForExit(within: .seconds(60)) != nil)
        }
    }
}
