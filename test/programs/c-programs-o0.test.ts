// The small C programs built with -O0: see c-programs.ts.
import { checkPrograms } from './c-programs.ts';

checkPrograms('O0');
