import {
  Bell,
  Bookmark,
  Braces,
  Calendar,
  Cctv,
  Check,
  CircleAlert,
  CircleDot,
  ClipboardList,
  DoorOpen,
  Dot,
  FileText,
  Gavel,
  Hand,
  Info,
  ListChecks,
  Lock,
  LogIn,
  LogOut,
  type LucideIcon,
  Megaphone,
  MessageSquare,
  Mic,
  MicOff,
  Pause,
  Phone,
  Play,
  Radio,
  Siren,
  Square,
  User,
  Users,
} from 'lucide-react'

/** Icons of the hub's hints; one that is not here is the plain one. */
const icons: Record<string, LucideIcon> = {
  bell: Bell, bookmark: Bookmark, braces: Braces, calendar: Calendar, camera: Cctv, 'camera-off': Cctv, check: Check, alert: CircleAlert,
  circle: CircleDot, disc: CircleDot, clipboard: ClipboardList, 'door-open': DoorOpen, dot: Dot, file: FileText, 'file-text': FileText,
  gavel: Gavel, hand: Hand, 'list-checks': ListChecks, lock: Lock, 'log-in': LogIn, 'log-out': LogOut, megaphone: Megaphone,
  message: MessageSquare, mic: Mic, 'mic-off': MicOff, pause: Pause, phone: Phone, play: Play, radio: Radio, siren: Siren, square: Square,
  user: User, users: Users,
} // biome-ignore format: a table

export function laneIcon(name: string): LucideIcon {
  return icons[name] ?? Info
}
