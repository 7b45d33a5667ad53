import Domain
import Environment
import RPC
import Schema

/// The other two trades beside the school: a pet clinic that is booked by holds and paid online,
/// and a sports field whose bookings another system knows. Two weeks from today; loading it again
/// adds only the new days.
struct DemoTrades {
    private let schedule: ScheduleV1.ScheduleClient
    private let catalogue: BookingV1.CatalogueClient
    private let clock: Clock

    init(station: Station) {
        schedule = ScheduleV1.ScheduleClient(
            station.neighbours.channel(from: .gateway, to: .schedule, as: .admin(id: "demo")))
        catalogue = BookingV1.CatalogueClient(
            station.neighbours.channel(from: .gateway, to: .booking, as: .admin(id: "demo")))
        clock = station.host.clock
    }

    private struct Place {
        let code: String
        let name: String
        let address: String
    }

    private struct Thing {
        let name: String
        let kind: String
        let place: String
    }

    private struct Service {
        let code: String
        let title: String
        let text: String
        let kind: String
        let place: String
        let policy: String
        let price: Int64
        let minutes: Int32
        let capacity: Int32
        let things: [String]
        let days: [String]
        let times: [String]
    }

    private static let places = [
        Place(code: "KLINIK", name: "Klinik Hewan Sehat", address: "Jl. Anggrek 7, Bandung"),
        Place(code: "GOR", name: "GOR Cendana", address: "Jl. Cendana 21, Bandung"),
    ]

    private static let things = [
        Thing(name: "drh. Maya", kind: "staff", place: "KLINIK"),
        Thing(name: "drh. Bima", kind: "staff", place: "KLINIK"),
        Thing(name: "Ruang Periksa 1", kind: "room", place: "KLINIK"),
        Thing(name: "Ruang Periksa 2", kind: "room", place: "KLINIK"),
        Thing(name: "Lapangan A", kind: "field", place: "GOR"),
    ]

    private static let workdays = ["monday", "tuesday", "wednesday", "thursday", "friday"]

    private static let services = [
        Service(
            code: "VET-CHECK", title: "Pemeriksaan Umum",
            text: "A vet looks at the whole animal.", kind: "service", place: "KLINIK",
            policy: "clinic", price: 150_000, minutes: 30, capacity: 1,
            things: ["drh. Maya", "Ruang Periksa 1"], days: workdays + ["saturday"],
            times: ["09:00", "09:30", "10:00", "10:30", "11:00", "13:00", "13:30"]),
        Service(
            code: "VET-VACCINE", title: "Vaksinasi", text: "Dogs, cats and rabbits.",
            kind: "service", place: "KLINIK", policy: "clinic", price: 250_000, minutes: 20,
            capacity: 1, things: ["drh. Bima", "Ruang Periksa 2"], days: workdays,
            times: ["09:00", "09:30", "10:00", "10:30", "15:00", "15:30", "16:00"]),
        Service(
            code: "PUPPY-CLASS", title: "Kelas Anak Anjing",
            text: "First steps on the leash, ten puppies.", kind: "service", place: "KLINIK",
            policy: "clinic", price: 100_000, minutes: 60, capacity: 10, things: ["drh. Bima"],
            days: ["saturday"], times: ["10:00"]),
        Service(
            code: "FUTSAL-A", title: "Lapangan Futsal A", text: "An hour on the field.",
            kind: "rental", place: "GOR", policy: "field", price: 200_000, minutes: 60,
            capacity: 1, things: ["Lapangan A"], days: workdays + ["saturday", "sunday"],
            times: ["16:00", "17:00", "18:00", "19:00", "20:00", "21:00"]),
    ]

    func load() async throws {
        for place in Self.places {
            var request = BookingV1.SaveLocationRequest()
            request.id = Self.id("location", place.code)
            (request.code, request.name) = (place.code, place.name)
            (request.address, request.timeZone) = (place.address, "Asia/Jakarta")
            _ = try await catalogue.saveLocation(request)
        }
        for thing in Self.things {
            var request = BookingV1.SaveResourceRequest()
            var resource = BookingV1.Resource()
            resource.id = Self.id("resource", thing.name)
            (resource.name, resource.kind) = (thing.name, thing.kind)
            resource.locationId = Self.id("location", thing.place)
            request.resource = resource
            _ = try await catalogue.saveResource(request)
        }
        for service in Self.services { try await load(service) }
    }

    private func load(_ service: Service) async throws {
        var course = ScheduleV1.CreateCourseRequest()
        course.id = Self.id("course", service.code)
        (course.code, course.title) = (service.code, service.title)
        (course.description, course.kind) = (service.text, service.kind)
        course.maxStudents = service.capacity
        course.claimAt = .publish
        course.locationId = Self.id("location", service.place)
        (course.policy, course.price) = (service.policy, service.price)
        _ = try await schedule.createCourse(course)
        var series = ScheduleV1.GenerateSeriesRequest()
        series.id = Self.id("series", service.code)
        series.courseId = service.code
        var rule = ScheduleV1.WeeklyRule()
        (rule.days, rule.times, rule.minutes) = (service.days, service.times, service.minutes)
        series.rules = [rule]
        // Jakarta is seven hours ahead of UTC.
        let today = (clock.now() + .seconds(7 * 3600)).date
        series.fromDate = today.description
        series.untilDate = today.adding(days: 13).description
        series.resourceIds = service.things.map { Self.id("resource", $0) }
        series.skipConflicts = true
        _ = try await schedule.generateSeries(series)
    }

    private static func id(_ kind: String, _ name: String) -> String {
        UUID.named("janji demo \(kind) \(name)").description
    }
}
