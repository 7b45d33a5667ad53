import Protobuf
import RPC
import Schema
import TestKit
import Testing

extension EndToEnd {
    @Suite("gRPC by typed Swift clients")
    struct StreamTests {
        typealias Mode = SystemUnderTest.Mode

        @Test(
            "Availability.Watch: a snapshot, then changes with growing versions",
            arguments: Mode.allCases)
        func watch(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1), .init(hour: 1.5, room: 1)])
            var request = BookingV1.WatchRequest()
            request.courseId = course.code
            let client = BookingV1.AvailabilityClient(try stage.channel(.booking))
            let stream = try await client.watch(request, options: .timeout(.seconds(120)))
            var responses = stream.makeAsyncIterator()
            guard case .snapshot(let snapshot)? = try await responses.next()?.event else {
                Issue.record("the first response is no snapshot")
                return
            }
            #expect(Set(snapshot.slots.map(\.id)) == Set(course.slots))
            let version = snapshot.slots.map(\.version).max() ?? 0
            let id = try await stage.confirmed(course)
            #expect(try await stage.assign(id, course.slots[0]).status == 200)
            var latest: [String: BookingV1.Slot] = [:]
            while latest[course.slots[0]]?.slotsRemaining != 0
                || latest[course.slots[1]]?.status == .available
                || latest[course.slots[1]] == nil
            {
                guard case .changed(let slot)? = try await responses.next()?.event else {
                    Issue.record("the stream ended or sent another snapshot")
                    return
                }
                // Demand changes without a new version of the slot.
                #expect(slot.version >= (latest[slot.id]?.version ?? 0))
                latest[slot.id] = slot
            }
            #expect((latest[course.slots[0]]?.version ?? 0) > version)
            stream.cancel()
        }

        @Test("Watch and FindSlots agree with each other", arguments: Mode.allCases)
        func agreement(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course((0..<5).map { .init(hour: Double($0)) })
            let client = BookingV1.AvailabilityClient(try stage.channel(.booking))
            var find = BookingV1.FindSlotsRequest()
            find.courseId = course.id
            find.pageSize = 2
            var found: [String] = []
            repeat {
                let page = try await client.findSlots(find)
                found += page.slots.map(\.id)
                find.pageToken = page.nextPageToken
            } while !find.pageToken.isEmpty
            #expect(found == course.slots)
        }

        @Test(
            "Notification.Subscribe: ready, then events; restricted topics need a token",
            arguments: Mode.allCases)
        func subscribe(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let client = NotificationV1.NotificationClient(try stage.channel(.notification))
            var request = NotificationV1.SubscribeRequest()
            request.topics = ["booking.created", "availability.updated"]
            request.courseIds = [course.code]
            let stream = try await client.subscribe(request, options: .timeout(.seconds(120)))
            var responses = stream.makeAsyncIterator()
            #expect(try await responses.next()?.kind == .ready(.init()))
            let booking = try await stage.register(course)
            var delivery = NotificationV1.SubscribeResponse.Delivery()
            // The slots of the course may still be on their way.
            repeat {
                guard case .delivery(let next)? = try await responses.next()?.kind else {
                    Issue.record("no delivery")
                    return
                }
                delivery = next
            } while delivery.event?.topic == "availability.updated"
            #expect(delivery.event?.topic == "booking.created")
            #expect(delivery.event?.payload?.id == booking["id"]?.string)
            #expect(delivery.event?.eventId.isEmpty == false)
            #expect(delivery.position?.topic == "booking.created")
            #expect(
                delivery.event?.payload?.data?.fields["courseId"]?.kind == .stringValue(course.id))
            stream.cancel()

            var restricted = NotificationV1.SubscribeRequest()
            restricted.topics = ["admin.notifications"]
            let forbidden = restricted
            let error = await #expect(throws: RPCError.self) {
                for try await _ in try await client.subscribe(forbidden) {}
            }
            #expect(
                error?.code == .permissionDenied || error?.code == .unauthenticated,
                "\(String(describing: error))")
            let allowed = try await client.subscribe(
                forbidden, metadata: try await stage.credentials(.notification))
            var first = allowed.makeAsyncIterator()
            #expect(try await first.next()?.kind == .ready(.init()))
            allowed.cancel()
        }

        @Test("The whole story by typed clients", arguments: Mode.allCases)
        func story(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let course = try await stage.course([.init(hour: 1)])
            let client = BookingV1.BookingsClient(try stage.channel(.booking))
            let metadata = try await stage.credentials(.booking)
            let registered = try await client.registerCourse(Calls.registration(course))
            let id = try #require(registered.booking?.id)
            var list = BookingV1.ListPendingRequest()
            list.courseId = course.id
            let pending = try await client.listPending(list, metadata: metadata)
            #expect(pending.bookings.map { $0.booking?.id } == [id])
            #expect(pending.bookings.first?.applicant?.fullName == "Dewi Lestari")
            var confirm = BookingV1.ConfirmRequest()
            confirm.bookingId = id
            confirm.scheduleId = course.slots[0]
            let confirmed = try await client.confirm(confirm, metadata: metadata)
            #expect(confirmed.booking?.confirmedSlotId == course.slots[0], "X-03: both at once")
            #expect(confirmed.booking?.assignmentBasis == .firstChoice)
            #expect(confirmed.slot?.slotsRemaining == 0)
        }

        @Test("Health v1 and reflection v1 on every port", arguments: Mode.allCases)
        func health(_ mode: Mode) async throws {
            let stage = try await Stage.shared(mode)
            let services: [(SystemUnderTest.Role, [String])] = [
                (.booking, ["janji.booking.v1.Bookings", "janji.booking.v1.Availability"]),
                (.schedule, ["janji.schedule.v1.Schedule"]),
                (.notification, ["janji.notification.v1.Notification"]),
                (.auth, ["janji.identity.v1.Auth"]),
            ]
            for (role, names) in services {
                let channel = try stage.channel(role)
                for name in names + [""] {
                    var check = HealthV1.HealthCheckRequest()
                    check.service = name
                    let answer = try await HealthV1.HealthClient(channel).check(check)
                    #expect(answer.status == .serving, "\(role) \(name)")
                }
                let call = try await ReflectionV1.ServerReflectionClient(channel)
                    .serverReflectionInfo(options: .timeout(.seconds(60)))
                var request = ReflectionV1.ServerReflectionRequest()
                request.messageRequest = .listServices("")
                try await call.send(request)
                var answers = call.responses.makeAsyncIterator()
                guard
                    case .listServicesResponse(let list)? =
                        try await answers.next()?.messageResponse
                else {
                    Issue.record("\(role): no list")
                    continue
                }
                #expect(Set(list.service.map(\.name)).isSuperset(of: names), "\(role)")
                call.finish()
            }
        }
    }
}
