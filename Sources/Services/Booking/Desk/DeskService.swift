import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Desk`.
public struct DeskService: BookingV1.DeskService {
    private let store: DeskStore
    private let clock: Clock

    public init(pool: PostgresPool, clock: Clock) {
        store = DeskStore(pool: pool)
        self.clock = clock
    }

    public func listDay(
        _ request: BookingV1.ListDayRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListDayResponse {
        var rules = FieldRules()
        let date = rules.date(request.date, "date")
        let location =
            request.locationId.isEmpty ? nil : rules.uuid(request.locationId, "location_id")
        guard rules.areKept, let date else { throw rules.refusal }
        // Nowhere is it still that day.
        let isOver = date.daysSinceEpoch < clock.now().date.daysSinceEpoch - 1
        let day = try await DomainError.mapping {
            try await store.day(date, location: location, isOver: isOver)
        }
        var response = BookingV1.ListDayResponse()
        response.slots = day.slots.map { slot in
            var item = BookingV1.DaySlot()
            item.slot = BookingV1.Slot(slot)
            item.holds = day.holds[slot.id] ?? []
            item.bookings = day.bookings[slot.id] ?? []
            item.waiting = day.waiting[slot.id] ?? []
            return item
        }
        response.asOf = GoogleProtobuf.Timestamp(clock.now())
        return response
    }
}
