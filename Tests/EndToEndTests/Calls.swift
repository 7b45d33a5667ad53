import Foundation
import Protobuf
import RPC
import Schema
import TestKit

/// What tests need around typed calls.
enum Calls {
    static func registration(_ course: Stage.Course) -> BookingV1.RegisterCourseRequest {
        var request = BookingV1.RegisterCourseRequest()
        request.fullName = "Dewi Lestari"
        request.email = "dewi.\(UUID().uuidString.prefix(8).lowercased())@example.com"
        request.courseId = course.id
        request.address = "Jl. Kenanga 1"
        request.birthPlace = "Solo"
        request.birthDate = "2013-03-02"
        request.school = "SDN 2"
        request.class = 6
        request.guardianName = "Ayu Lestari"
        request.guardianWaNumber = "+628123456789"
        request.consent = true
        request.captchaToken = "test"
        request.idempotencyKey = UUID().uuidString
        request.firstChoiceSlotId = course.slots[0]
        return request
    }

    /// `ErrorInfo.reason` of an error's details.
    static func reason(_ error: RPCError?) -> String? {
        detail(error, "google.rpc.ErrorInfo", GoogleRpc.ErrorInfo.self)?.reason
    }

    /// The fields of `BadRequest`.
    static func violations(_ error: RPCError?) -> [String] {
        (detail(error, "google.rpc.BadRequest", GoogleRpc.BadRequest.self)?.fieldViolations ?? [])
            .map(\.field)
    }

    static func detail<M: Message>(
        _ error: RPCError?, _ name: String, _ type: M.Type
    ) -> M? {
        error?.details.first { $0.typeURL.hasSuffix("/" + name) }
            .flatMap { try? M(decoding: $0.value) }
    }
}

extension Stage {
    /// Runs `body` while somebody holds the row of a booking.
    func whileLocked(booking: String, _ body: () async throws -> Void) async throws {
        let lock = try BackgroundProcess(
            "/usr/bin/psql",
            [
                "-X", "-q", "-d", system.databaseURL, "-c",
                """
                begin; select 'locked' from booking.booking where id = '\(booking)' for update;
                select pg_sleep(600); rollback
                """,
            ], environment: ProcessInfo.processInfo.environment,
            logFile: system.folder.appendingPathComponent("psql-\(booking).log"))
        do {
            let isLocked = try await eventually {
                try await system.sql(
                    "select count(*) from pg_stat_activity"
                        + " where query like '%\(booking)%pg_sleep%' and wait_event = 'PgSleep'")
                    != "0"
            }
            guard isLocked else { throw ClientError("no lock: \(lock.log)") }
            try await body()
        } catch {
            await unlock(booking, lock)
            throw error
        }
        await unlock(booking, lock)
    }

    private func unlock(_ booking: String, _ lock: BackgroundProcess) async {
        _ = try? await system.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
                + " where query like '%\(booking)%pg_sleep%' and pid <> pg_backend_pid()")
        await lock.stop()
    }

    /// Whether a call of ours waits for a row. It does so for two seconds at most.
    func waitsForLock() async throws -> Bool {
        try await system.sql(
            "select count(*) from pg_stat_activity"
                + " where application_name = 'janji-booking' and wait_event_type = 'Lock'") != "0"
    }

    func status(of booking: String) async throws -> String {
        try await system.sql("select status from booking.booking where id = '\(booking)'")
    }
}
