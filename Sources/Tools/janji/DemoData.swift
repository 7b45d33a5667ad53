import Domain
import Environment
import Protobuf
import RPC
import Schema

/// A music school to try things with: courses, teachers, rooms, and two weeks of lessons from
/// today. Every id follows from what it names, so loading it again adds only the new days.
struct DemoData {
    private let client: ScheduleV1.ScheduleClient
    private let clock: Clock

    init(station: Station) {
        client = ScheduleV1.ScheduleClient(
            station.neighbours.channel(
                from: .gateway, to: .schedule, as: .admin(id: "demo")))
        clock = station.host.clock
    }

    private struct Lesson {
        let course: String
        let title: String
        let text: String
        let capacity: Int32
        let claim: BookingV1.ClaimPolicy
        let teacher: String
        let room: String
        /// Hours of the day in Jakarta, and the days of the week (1 is Monday).
        let hours: [Int]
        let days: Set<Int>
    }

    /// Piano and jazz share teacher and room at some hours: overlapping offers, of which the
    /// admin's assignment makes one real. The group classes occupy theirs from the start.
    private static let lessons: [Lesson] = [
        Lesson(
            course: "PIANO-101", title: "Piano untuk Pemula",
            text: "Private lessons from the first note on.", capacity: 1, claim: .assign,
            teacher: "Ibu Sari", room: "Ruang Melati", hours: [9, 10, 14, 15, 16],
            days: [1, 2, 3, 4, 5, 6]),
        Lesson(
            course: "PIANO-101", title: "Piano untuk Pemula",
            text: "Private lessons from the first note on.", capacity: 1, claim: .assign,
            teacher: "Pak Budi", room: "Ruang Kenanga", hours: [15, 16, 17], days: [1, 3, 5]),
        Lesson(
            course: "JAZZ-201", title: "Jazz Piano",
            text: "Chords, swing and improvisation.", capacity: 1, claim: .assign,
            teacher: "Ibu Sari", room: "Ruang Anggrek", hours: [15, 16], days: [2, 4]),
        Lesson(
            course: "GUITAR-101", title: "Gitar Akustik",
            text: "Two students a lesson.", capacity: 2, claim: .assign,
            teacher: "Pak Budi", room: "Ruang Melati", hours: [10, 13, 15], days: [1, 2, 4, 6]),
        Lesson(
            course: "VOCAL-101", title: "Olah Vokal",
            text: "Breathing, pitch and stage.", capacity: 1, claim: .assign,
            teacher: "Ibu Ratna", room: "Ruang Anggrek", hours: [11, 14, 16], days: [1, 3, 5]),
        Lesson(
            course: "ENSEMBLE-1", title: "Ensembel Remaja",
            text: "A group class on Saturdays.", capacity: 8, claim: .publish,
            teacher: "Pak Wayan", room: "Aula", hours: [9, 13], days: [6]),
        Lesson(
            course: "DRUM-101", title: "Drum Dasar",
            text: "Four on the floor and further.", capacity: 1, claim: .assign,
            teacher: "Pak Wayan", room: "Studio Drum", hours: [15, 16, 17, 18],
            days: [1, 2, 3, 4, 5]),
    ]

    /// Jakarta is seven hours ahead of UTC and knows no summer time.
    private static let offset = Duration.seconds(7 * 3600)

    func load() async throws {
        for lesson in Self.lessons { try await create(lesson) }
        for course in Set(Self.lessons.map(\.course)).sorted() { try await createSchedules(course) }
    }

    private func create(_ lesson: Lesson) async throws {
        var course = ScheduleV1.CreateCourseRequest()
        course.id = Self.id("course", lesson.course)
        course.code = lesson.course
        course.title = lesson.title
        course.description = lesson.text
        course.maxStudents = lesson.capacity
        course.claimAt = lesson.claim
        _ = try await client.createCourse(course)
        var teacher = ScheduleV1.CreateInstructorRequest()
        teacher.id = Self.id("instructor", lesson.teacher)
        teacher.name = lesson.teacher
        _ = try await client.createInstructor(teacher)
        var room = ScheduleV1.CreateRoomRequest()
        room.id = Self.id("room", lesson.room)
        room.name = lesson.room
        room.capacity = 10
        _ = try await client.createRoom(room)
    }

    private func createSchedules(_ course: String) async throws {
        var request = ScheduleV1.CreateClassSchedulesRequest()
        request.courseId = Self.id("course", course)
        let today = (clock.now() + Self.offset).date
        for lesson in Self.lessons where lesson.course == course {
            for day in (0..<14).map({ today.adding(days: $0) })
            where lesson.days.contains(day.weekday) {
                request.schedules += lesson.hours.map { Self.schedule(lesson, day, $0) }
            }
        }
        guard !request.schedules.isEmpty else { return }
        _ = try await client.createClassSchedules(request)
    }

    private static func schedule(
        _ lesson: Lesson, _ day: LocalDate, _ hour: Int
    ) -> ScheduleV1.NewClassSchedule {
        let start = Instant(startOf: day) + .seconds(hour * 3600) - offset
        var schedule = ScheduleV1.NewClassSchedule()
        schedule.id = id("schedule", "\(lesson.course) \(lesson.teacher) \(start.rfc3339)")
        schedule.instructorId = id("instructor", lesson.teacher)
        schedule.roomId = id("room", lesson.room)
        schedule.startTime = GoogleProtobuf.Timestamp(start)
        schedule.endTime = GoogleProtobuf.Timestamp(start + .seconds(45 * 60))
        schedule.capacity = lesson.capacity
        return schedule
    }

    private static func id(_ kind: String, _ name: String) -> String {
        UUID.named("janji demo \(kind) \(name)").description
    }
}
